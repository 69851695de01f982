// Has every request counted, under the pattern of its route.

import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import type { Traffic } from '../metrics/traffic.ts';

/** Registered before whatever may answer, so that refusals have the name of their route too. */
export const httpMetrics = fp<{ readonly traffic: Pick<Traffic, 'watch' | 'routed'> }>(
  async (app: FastifyInstance, { traffic }) => {
    traffic.watch(app.server);
    app.addHook('onRequest', (request, { raw }, done) => {
      const { url } = request.routeOptions;
      if (url !== undefined) traffic.routed(raw, url);
      done();
    });
  },
  { name: 'metrics' },
);
