// /livez: the process answers. /readyz: it can do its work, and what is missing if not.

import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Readiness } from '../metrics/readiness.ts';

const check = z.object({ ok: z.boolean(), detail: z.string().optional() });
const readiness = z.object({ status: z.enum(['ready', 'not_ready']), checks: z.record(z.string(), check) });

export const healthRoutes: FastifyPluginAsyncZod<{ readonly readiness: Readiness }> = async (
  app,
  { readiness: look },
) => {
  app.get(
    '/livez',
    {
      config: { scope: 'public', anyHost: true },
      schema: {
        summary: 'Does this process answer?',
        tags: ['health'],
        response: { 200: z.object({ status: z.literal('ok') }) },
      },
    },
    async (_request, reply) => reply.header('cache-control', 'no-store').send({ status: 'ok' }),
  );
  app.get(
    '/readyz',
    {
      config: { scope: 'public', anyHost: true },
      schema: {
        summary: 'Can this process do its work?',
        description:
          'In a fleet a server without Redis or S3 is still ready, since it makes images; the checks say what is missing.',
        tags: ['health'],
        response: { 200: readiness, 503: readiness },
      },
    },
    async (_request, reply) => {
      const { ready, checks } = await look();
      return reply
        .code(ready ? 200 : 503)
        .header('cache-control', 'no-store')
        .send({ status: ready ? 'ready' : 'not_ready', checks });
    },
  );
};
