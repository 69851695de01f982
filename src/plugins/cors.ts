// CORS (https://fetch.spec.whatwg.org/#http-cors-protocol): which addresses pages of another origin may use by script.

import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';

export interface CorsOptions {
  /** Origin whose pages may, or `*`. Without it none may. */
  readonly allowOrigin?: string | undefined;
}

interface Opening {
  /** How the patterns of its routes begin. */
  readonly under: string;
  readonly methods: string;
  /** That a page may send. */
  readonly headers: string;
}

const OPENINGS: readonly Opening[] = [
  {
    under: '/v1/uploads',
    methods: 'GET, HEAD, POST, PATCH, DELETE',
    headers:
      'authorization, content-type, idempotency-key, tus-resumable, upload-checksum, upload-concat, upload-defer-length, upload-length, upload-metadata, upload-offset, x-http-method-override, x-request-id, x-requested-with',
  },
  {
    // A player's script fetches playlists and segments. Not every browser counts `Range` among the headers that need no preflight.
    under: '/v1/jobs/:id/outputs/',
    methods: 'GET, HEAD',
    headers: 'authorization, range, if-range, if-none-match',
  },
];

/** That a page may see, beside those that it always may. */
const EXPOSED =
  'content-length, content-range, etag, idempotency-key-expires, idempotency-replayed, location, ratelimit, ratelimit-policy, retry-after, tus-checksum-algorithm, tus-extension, tus-max-size, tus-resumable, tus-version, upload-concat, upload-defer-length, upload-expires, upload-length, upload-metadata, upload-offset, www-authenticate, x-request-id';

/** Seconds for which a browser need not ask again. */
const PREFLIGHT_SECONDS = 86_400;

/** Registered before auth and limits: a script cannot read a refusal that does not say whose pages may. */
export const cors = fp(
  async (app: FastifyInstance, { allowOrigin }: CorsOptions) => {
    if (allowOrigin === undefined) return;
    app.addHook('onRequest', async (request, reply) => {
      const { url = '' } = request.routeOptions;
      const opening = OPENINGS.find(({ under }) => url.startsWith(under));
      if (opening === undefined) return;
      void reply.header('access-control-allow-origin', allowOrigin);
      if (request.method === 'OPTIONS') {
        void reply
          .header('access-control-allow-methods', opening.methods)
          .header('access-control-allow-headers', opening.headers)
          .header('access-control-max-age', PREFLIGHT_SECONDS);
      } else {
        void reply.header('access-control-expose-headers', EXPOSED);
      }
    });
  },
  { name: 'cors' },
);
