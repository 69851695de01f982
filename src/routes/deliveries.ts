// Deliveries: what was sent for a job, what became of it, and sending it again.

import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { JobQueue } from '../contracts.ts';
import { noSuchDelivery } from '../webhooks/deliveries.ts';
import type { Deliveries } from '../webhooks/deliveries.ts';
import { deliveryViewSchema, viewDelivery } from '../webhooks/webhook-view.ts';
import { find } from './jobs.ts';

export interface DeliveryRoutesOptions {
  readonly queue: JobQueue;
  readonly deliveries: Deliveries;
}

const params = z.object({ id: z.string().describe('The id of a delivery') });
const tags = ['webhooks'];

export const deliveryRoutes: FastifyPluginAsyncZod<DeliveryRoutesOptions> = async (app, options) => {
  const { queue, deliveries } = options;

  app.addHook('onRequest', async (_request, reply) => {
    void reply.header('cache-control', 'no-store');
  });

  app.get(
    '/v1/jobs/:id/deliveries',
    {
      config: { scope: 'jobs:read' },
      schema: {
        summary: 'See whom was told how a job ended',
        description:
          'Deliveries are kept for 30 days, also when the job is removed. What receivers answered, and the queries of their addresses, are told to keys of the scope `webhooks` only.',
        tags,
        params: z.object({ id: z.string().describe('The id of a job') }),
        response: { 200: z.object({ deliveries: z.array(deliveryViewSchema) }) },
      },
    },
    async ({ caller, params: { id } }) => {
      const found = await deliveries.ofJob(caller.tenant, id);
      // They outlive their job.
      if (found.length === 0) await find(queue, id, caller);
      const isWhole = caller.scopes.has('webhooks');
      return { deliveries: found.map((delivery) => viewDelivery(delivery, isWhole)) };
    },
  );

  app.get(
    '/v1/deliveries/:id',
    {
      config: { scope: 'webhooks' },
      schema: { summary: 'Look at a delivery', tags, params, response: { 200: deliveryViewSchema } },
    },
    async ({ caller, params: { id } }) => {
      const delivery = await deliveries.get(caller.tenant, id);
      if (delivery === undefined) throw noSuchDelivery(id);
      return viewDelivery(delivery, true);
    },
  );

  app.post(
    '/v1/deliveries/:id/replay',
    {
      config: { scope: 'webhooks' },
      schema: {
        summary: 'Send a delivery again',
        description: 'The same message with the same `webhook-id`, at once, and with new retries.',
        tags,
        params,
        response: { 202: deliveryViewSchema },
      },
    },
    async ({ caller, params: { id } }, reply) =>
      reply.code(202).send(viewDelivery(await deliveries.replay(caller.tenant, id), true)),
  );
};
