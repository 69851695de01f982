// Webhooks and deliveries as clients see them. Fields may be added, never renamed.

import { z } from 'zod';
import { jobPath, withoutQuery } from '../jobs/job-view.ts';
import { DELIVERY_STATES } from './delivery.ts';
import type { Delivery } from './delivery.ts';
import { DISABLED_REASONS, JOB_EVENTS } from './endpoint.ts';
import type { Endpoint } from './endpoint.ts';
import { MAX_URL_LENGTH } from './receiver-url.ts';

const nullable = <T extends z.ZodType>(schema: T) => schema.nullable();
const moment = z.iso.datetime();

const urlSchema = z
  .string()
  .min(1)
  .max(MAX_URL_LENGTH)
  .describe('Where the messages are posted to: https, and a public address');
const eventsSchema = z
  .array(z.enum(JOB_EVENTS))
  .min(1)
  .max(JOB_EVENTS.length)
  .refine((events) => new Set(events).size === events.length, 'must name each event once')
  .describe('What to be told of');

export const newWebhookSchema = z.strictObject({
  url: urlSchema,
  events: eventsSchema.optional().describe('What to be told of; all if not said'),
});
export const webhookChangeSchema = z
  .strictObject({
    url: urlSchema.optional(),
    events: eventsSchema.optional(),
    enabled: z
      .boolean()
      .optional()
      .describe('false: nothing is sent any more, and what is pending is dropped; true: from now on again'),
  })
  .refine((change) => Object.keys(change).length > 0, 'must name url, events or enabled');
export const rotationSchema = z.strictObject({
  revoke: z
    .boolean()
    .default(false)
    .describe('true: no old secret signs any more, from now on; else the last one does for 24 hours'),
});

export const webhookViewSchema = z
  .object({
    id: z.string(),
    url: z.string(),
    events: z.array(z.enum(JOB_EVENTS)),
    createdAt: moment,
    disabledAt: nullable(moment),
    disabledReason: nullable(z.enum(DISABLED_REASONS)).describe(
      'gone: the receiver answered 410; failing: nothing but failures for five days; asked: by PATCH',
    ),
    failingSince: nullable(moment).describe('When the first attempt failed after the last success'),
    links: z.object({ self: z.string(), test: z.string(), rotate: z.string(), deliveries: z.string() }),
  })
  .meta({ id: 'Webhook' });

export const webhookWithSecretSchema = webhookViewSchema
  .extend({
    secret: z
      .string()
      .describe(
        'whsec_…: verifies the signatures. It is shown in this answer and nowhere else: a repetition by the same Idempotency-Key leaves it out',
      ),
  })
  .meta({ id: 'WebhookWithSecret' });

export const ownSecretsSchema = z
  .object({
    secrets: z
      .array(z.string())
      .describe(
        'whsec_…: all of them sign. None where jobs cannot name a webhook, and for the tenant `default`, whose secrets are those of WEBHOOK_SECRETS',
      ),
  })
  .meta({ id: 'WebhookSecrets' });

export const deliveryViewSchema = z
  .object({
    id: z.string(),
    jobId: nullable(z.string()).describe('Null for a test'),
    webhookId: nullable(z.string()).describe('Null if the job itself named the address'),
    url: z.string().describe('Without the scope `webhooks`: its origin and path'),
    event: z.enum([...JOB_EVENTS, 'test']),
    messageId: z.string().describe('`webhook-id`: the same for every attempt and replay'),
    status: z.enum(DELIVERY_STATES),
    reason: nullable(z.string()).describe('Why it is not tried any more'),
    createdAt: moment,
    nextAttemptAt: nullable(moment),
    attemptCount: z.number().int(),
    attempts: z
      .array(
        z.object({
          at: moment,
          status: nullable(z.number().int()).describe('Of the answer; null where there was none'),
          error: nullable(z.string()),
          ms: z.number().int(),
          response: nullable(z.string()).describe(
            'How the body of the answer began; null without the scope `webhooks`',
          ),
        }),
      )
      .describe('The latest 20, the oldest of them first'),
    links: z.object({ self: z.string(), replay: z.string(), job: nullable(z.string()) }),
  })
  .meta({ id: 'Delivery' });

export type WebhookView = z.output<typeof webhookViewSchema>;
export type DeliveryView = z.output<typeof deliveryViewSchema>;

export const webhookPath = (id: string): string => `/v1/webhooks/${id}`;
export const deliveryPath = (id: string): string => `/v1/deliveries/${id}`;

export function viewEndpoint(endpoint: Endpoint): WebhookView {
  const self = webhookPath(endpoint.id);
  return {
    id: endpoint.id,
    url: endpoint.url,
    events: [...endpoint.events],
    createdAt: iso(endpoint.createdAt),
    disabledAt: isoOrNull(endpoint.disabledAt),
    disabledReason: endpoint.disabledReason,
    failingSince: isoOrNull(endpoint.failingSince),
    links: {
      self,
      test: `${self}/test`,
      rotate: `${self}/rotate`,
      deliveries: `${self}/deliveries`,
    },
  };
}

/** With its newest secret: only in the answer that hands it out. */
export function viewWithSecret(endpoint: Endpoint): z.output<typeof webhookWithSecretSchema> {
  return { ...viewEndpoint(endpoint), secret: endpoint.secrets[0]?.secret ?? '' };
}

/** `isWhole`: with what only those may see who may change webhooks: tokens in the URL, and what the receiver answered. */
export function viewDelivery(delivery: Delivery, isWhole: boolean): DeliveryView {
  const { id, jobId } = delivery;
  const self = deliveryPath(id);
  return {
    id,
    jobId,
    webhookId: delivery.endpointId,
    url: isWhole ? delivery.url : withoutQuery(delivery.url),
    event: delivery.eventType,
    messageId: delivery.messageId,
    status: delivery.state,
    reason: delivery.reason,
    createdAt: iso(delivery.createdAt),
    nextAttemptAt: isoOrNull(delivery.nextAt),
    attemptCount: delivery.attemptCount,
    attempts: delivery.attempts.map(({ at, responseHead, ...rest }) => ({
      at: iso(at),
      ...rest,
      response: isWhole ? responseHead : null,
    })),
    links: { self, replay: `${self}/replay`, job: jobId === null ? null : jobPath(jobId) },
  };
}

const iso = (ms: number): string => new Date(ms).toISOString();
const isoOrNull = (ms: number | null): string | null => (ms === null ? null : iso(ms));
