// Webhooks as the rest of the server knows them: endpoints, deliveries, and the sending that goes on by itself.

import type { HintBus, Records } from '../contracts.ts';
import type { SafePost } from '../lib/safe-post.ts';
import { openDeliveries } from './deliveries.ts';
import type { Deliveries } from './deliveries.ts';
import type { DeliveryOutcome } from '../metrics/metrics.ts';
import { startDispatcher } from './dispatcher.ts';
import type { WebhookLog } from './dispatcher.ts';
import { openEndpoints } from './endpoints.ts';
import type { Endpoints } from './endpoints.ts';
import { ownSecretsOf } from './own-secrets.ts';

export interface WebhooksOptions {
  readonly records: Records;
  readonly hints: HintBus;
  readonly post: SafePost;
  /** Unique to this process's life. */
  readonly owner: string;
  /** WEBHOOK_SECRETS. */
  readonly secrets: readonly string[];
  /** Of this program: receivers see it. */
  readonly version: string;
  readonly log: WebhookLog;
  /** Aborted when the process begins to leave. */
  readonly leaving?: AbortSignal;
  /** Told how each attempt went. */
  readonly onAttempt?: (outcome: DeliveryOutcome) => void;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** Milliseconds between looks at what is due; 1000 if not said. */
  readonly pollMs?: number;
}

export interface Webhooks {
  readonly endpoints: Endpoints;
  readonly deliveries: Deliveries;
  /** What signs messages to addresses that a tenant's jobs name themselves; none where jobs cannot name one. */
  ownSecrets(tenant: string): readonly string[];
  /** Stops sending; what is under way gets until `deadline` (milliseconds since 1970). */
  close(deadline: number): Promise<void>;
}

/** Sends from now on, until closed. */
export function startWebhooks(options: WebhooksOptions): Webhooks {
  const { records, now = records.now, secrets, version } = options;
  const endpoints = openEndpoints(records);
  const userAgent = `mediamill/${version}`;
  const dispatcher = startDispatcher({ ...options, now, endpoints, ownSecrets: secrets, userAgent });
  const deliveries = openDeliveries({ records, endpoints, now, wake: () => dispatcher.wake() });
  return {
    endpoints,
    deliveries,
    ownSecrets: (tenant) => ownSecretsOf(secrets, tenant),
    close: (deadline) => dispatcher.close(deadline),
  };
}
