// /v1/webhooks: where a tenant wants to be told how its jobs ended.

import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Config } from '../config.ts';
import { isId } from '../lib/id.ts';
import { idFor } from '../plugins/idempotency.ts';
import { Problem } from '../problems.ts';
import { DEFAULT_TENANT } from '../jobs/job.ts';
import { disabled, enabled, JOB_EVENTS, moved, newEndpoint, rotated } from '../webhooks/endpoint.ts';
import type { Endpoint } from '../webhooks/endpoint.ts';
import { assertWebhookUrl } from '../webhooks/receiver-url.ts';
import {
  deliveryPath,
  deliveryViewSchema,
  newWebhookSchema,
  ownSecretsSchema,
  rotationSchema,
  viewDelivery,
  viewEndpoint,
  viewWithSecret,
  webhookChangeSchema,
  webhookPath,
  webhookViewSchema,
  webhookWithSecretSchema,
} from '../webhooks/webhook-view.ts';
import type { Webhooks } from '../webhooks/webhooks.ts';

export interface WebhookRoutesOptions {
  readonly webhooks: Pick<Webhooks, 'endpoints' | 'deliveries' | 'ownSecrets'>;
  readonly config: Pick<Config, 'WEBHOOK_HOSTS'>;
}

const params = z.object({ id: z.string().describe('The id of a webhook') });
const pageQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20).describe('Most of a page'),
  after: z.string().min(1).max(200).optional().describe('`next` of the page before'),
});
const shared = { config: { scope: 'webhooks' } } as const;
const tags = ['webhooks'];

export const webhookRoutes: FastifyPluginAsyncZod<WebhookRoutesOptions> = async (app, options) => {
  const { webhooks, config } = options;
  const { endpoints, deliveries } = webhooks;

  app.addHook('onRequest', async (_request, reply) => {
    void reply.header('cache-control', 'no-store');
  });

  app.post(
    '/v1/webhooks',
    {
      config: { ...shared.config, idempotent: { forget: ['secret'] } },
      schema: {
        summary: 'Be told how jobs end',
        description:
          'Messages are posted and signed as Standard Webhooks has it, and tried again for three days. Answer 2xx within 15 seconds; 410 disables the webhook.',
        tags,
        body: newWebhookSchema,
        response: { 201: webhookWithSecretSchema },
      },
    },
    async (request, reply) => {
      const { url, events = [...JOB_EVENTS] } = request.body;
      const href = assertWebhookUrl(url, config, 'url').href;
      const asked = newEndpoint(href, events, Date.now(), idFor(request));
      const endpoint = await endpoints.add(request.caller.tenant, asked);
      request.log.info({ webhookId: endpoint.id }, 'webhook made');
      return reply.code(201).header('location', webhookPath(endpoint.id)).send(viewWithSecret(endpoint));
    },
  );

  app.get(
    '/v1/webhooks',
    {
      ...shared,
      schema: {
        summary: 'List webhooks, the oldest first',
        tags,
        querystring: z.strictObject({}),
        response: { 200: z.object({ webhooks: z.array(webhookViewSchema) }) },
      },
    },
    async ({ caller }) => ({ webhooks: (await endpoints.list(caller.tenant)).map(viewEndpoint) }),
  );

  app.get(
    '/v1/webhooks/secrets',
    {
      ...shared,
      schema: {
        summary: 'See what signs for the jobs that name a webhook themselves',
        description:
          'Each tenant has its own, made of WEBHOOK_SECRETS. Those of the tenant `default` are WEBHOOK_SECRETS themselves, which are not told: all others are made of them.',
        tags,
        querystring: z.strictObject({}),
        response: { 200: ownSecretsSchema },
      },
    },
    async ({ caller: { tenant } }) => ({
      secrets: tenant === DEFAULT_TENANT ? [] : [...webhooks.ownSecrets(tenant)],
    }),
  );

  app.get(
    '/v1/webhooks/:id',
    {
      ...shared,
      schema: { summary: 'Look at a webhook', tags, params, response: { 200: webhookViewSchema } },
    },
    async ({ caller, params: { id } }) => viewEndpoint(existing(await endpoints.get(caller.tenant, id), id)),
  );

  app.patch(
    '/v1/webhooks/:id',
    {
      ...shared,
      schema: {
        summary: 'Change, disable or enable a webhook',
        tags,
        params,
        body: webhookChangeSchema,
        response: { 200: webhookViewSchema },
      },
    },
    async ({ caller, params: { id }, body }) => {
      const url = body.url === undefined ? undefined : assertWebhookUrl(body.url, config, 'url').href;
      const after = await endpoints.update(caller.tenant, id, (endpoint) => {
        const changed = {
          ...moved(endpoint, url ?? endpoint.url),
          events: body.events ?? endpoint.events,
        };
        if (body.enabled === undefined) return changed;
        return body.enabled ? enabled(changed) : disabled(changed, 'asked', Date.now());
      });
      return viewEndpoint(existing(after, id));
    },
  );

  app.post(
    '/v1/webhooks/:id/rotate',
    {
      ...shared,
      schema: {
        summary: 'Give a webhook a new secret',
        description:
          'The old one signs along for 24 hours; at most three sign. `{ "revoke": true }` ends all old ones at once, as after a leak.',
        tags,
        params,
        body: rotationSchema.nullish(),
        response: { 200: webhookWithSecretSchema },
      },
    },
    async ({ caller, log, params: { id }, body }) => {
      const now = Date.now();
      const after = await endpoints.update(caller.tenant, id, (endpoint) =>
        rotated(endpoint, now, body ?? {}),
      );
      log.info({ webhookId: id }, 'webhook secret rotated');
      return viewWithSecret(existing(after, id));
    },
  );

  app.post(
    '/v1/webhooks/:id/test',
    {
      ...shared,
      schema: {
        summary: 'Send a message of type `test`',
        description: 'It is tried twice at most. The delivery tells what became of it.',
        tags,
        params,
        response: { 202: deliveryViewSchema },
      },
    },
    async ({ caller, params: { id } }, reply) => {
      const endpoint = existing(await endpoints.get(caller.tenant, id), id);
      const delivery = await deliveries.test(caller.tenant, endpoint);
      return reply.code(202).header('location', deliveryPath(delivery.id)).send(viewDelivery(delivery, true));
    },
  );

  app.get(
    '/v1/webhooks/:id/deliveries',
    {
      ...shared,
      schema: {
        summary: 'List what a webhook was sent, the newest first',
        description: 'Deliveries are kept for 30 days.',
        tags,
        params,
        querystring: pageQuery,
        response: { 200: z.object({ deliveries: z.array(deliveryViewSchema), next: z.string().nullable() }) },
      },
    },
    async ({ caller: { tenant }, params: { id }, query }) => {
      existing(await endpoints.get(tenant, id), id);
      const { items, next } = await deliveries.ofEndpoint(tenant, id, query);
      return { deliveries: items.map((delivery) => viewDelivery(delivery, true)), next };
    },
  );

  app.delete(
    '/v1/webhooks/:id',
    {
      ...shared,
      schema: {
        summary: 'Remove a webhook',
        description: 'What is pending is dropped.',
        tags,
        params,
        response: { 204: z.void() },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      if (!(await endpoints.remove(request.caller.tenant, id))) throw unknown(id);
      request.log.info({ webhookId: id }, 'webhook removed');
      return reply.code(204).send();
    },
  );
};

function existing(endpoint: Endpoint | undefined, id: string): Endpoint {
  if (endpoint === undefined) throw unknown(id);
  return endpoint;
}

function unknown(id: string): Problem {
  const shown = isId(id) ? id : JSON.stringify(id.slice(0, 60));
  return new Problem('webhook_not_found', `There is no webhook ${shown}. GET /v1/webhooks lists them.`);
}
