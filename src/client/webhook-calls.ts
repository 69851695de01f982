// The calls about webhooks and their deliveries.

import type { z } from 'zod';
import type {
  DeliveryView,
  newWebhookSchema,
  webhookChangeSchema,
  WebhookView,
  webhookWithSecretSchema,
} from '../webhooks/webhook-view.ts';
import { idOf } from './job-ref.ts';
import type { JobRef } from './job-ref.ts';
import type { CreateOptions } from './options.ts';
import type { CallOptions, Transport } from './transport.ts';

export type { DeliveryView, WebhookView };

type WebhookWithSecret = z.output<typeof webhookWithSecretSchema>;
/** The secret is told once. A call that had to be repeated, because its answer was lost, is answered without: rotate it then. */
type MadeWebhook = WebhookView & Partial<Pick<WebhookWithSecret, 'secret'>>;
type NewWebhook = z.input<typeof newWebhookSchema>;
type WebhookChange = z.input<typeof webhookChangeSchema>;

export interface WebhookCalls {
  /** `verifyWebhook` takes the secret that is in the answer. */
  create(webhook: NewWebhook, options?: CreateOptions): Promise<MadeWebhook>;
  list(options?: CallOptions): Promise<readonly WebhookView[]>;
  get(id: string, options?: CallOptions): Promise<WebhookView>;
  update(id: string, change: WebhookChange, options?: CallOptions): Promise<WebhookView>;
  /** A new secret; the old one signs along for 24 h, unless `revoke` ends all old ones at once. */
  rotate(id: string, options?: CallOptions & { readonly revoke?: boolean }): Promise<WebhookWithSecret>;
  /** What signs for jobs that name a webhook themselves: each tenant has its own. */
  secrets(options?: CallOptions): Promise<readonly string[]>;
  /** Sends it an event of type `test`. */
  test(id: string, options?: CallOptions): Promise<DeliveryView>;
  remove(id: string, options?: CallOptions): Promise<void>;
  /** The newest 100 that this webhook was sent. */
  sent(id: string, options?: CallOptions): Promise<readonly DeliveryView[]>;
  /** What was sent about a job, and what came back. */
  deliveries(job: JobRef, options?: CallOptions): Promise<readonly DeliveryView[]>;
  delivery(id: string, options?: CallOptions): Promise<DeliveryView>;
  /** Sends it once more. */
  replay(id: string, options?: CallOptions): Promise<DeliveryView>;
}

export function webhookCalls({ json, send }: Transport): WebhookCalls {
  const path = (id: string): string => `/v1/webhooks/${encodeURIComponent(id)}`;
  const delivery = (id: string): string => `/v1/deliveries/${encodeURIComponent(id)}`;
  return {
    create: (webhook, { idempotencyKey, signal } = {}) =>
      json('/v1/webhooks', { method: 'POST', json: webhook, creates: idempotencyKey ?? true, signal }),
    async list({ signal } = {}) {
      return (await json<{ webhooks: WebhookView[] }>('/v1/webhooks', { signal })).webhooks;
    },
    get: (id, { signal } = {}) => json(path(id), { signal }),
    update: (id, change, { signal } = {}) => json(path(id), { method: 'PATCH', json: change, signal }),
    // Not tried again by itself: each try would be a rotation.
    rotate: (id, { signal, revoke = false } = {}) =>
      json(`${path(id)}/rotate`, { method: 'POST', json: { revoke }, retries: 0, signal }),
    async secrets({ signal } = {}) {
      return (await json<{ secrets: string[] }>('/v1/webhooks/secrets', { signal })).secrets;
    },
    async sent(id, { signal } = {}) {
      const { deliveries } = await json<{ deliveries: DeliveryView[] }>(`${path(id)}/deliveries?limit=100`, {
        signal,
      });
      return deliveries;
    },
    test: (id, { signal } = {}) => json(`${path(id)}/test`, { method: 'POST', retries: 0, signal }),
    async remove(id, { signal } = {}) {
      await send(path(id), { method: 'DELETE', signal });
    },
    async deliveries(job, { signal } = {}) {
      const { deliveries } = await json<{ deliveries: DeliveryView[] }>(
        `/v1/jobs/${encodeURIComponent(idOf(job))}/deliveries`,
        { signal },
      );
      return deliveries;
    },
    delivery: (id, { signal } = {}) => json(delivery(id), { signal }),
    replay: (id, { signal } = {}) => json(`${delivery(id)}/replay`, { method: 'POST', retries: 0, signal }),
  };
}
