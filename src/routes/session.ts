// /v1/session: turns a key into a cookie for browsers, which may only read; and says whether a key is needed.

import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { SCOPES } from '../access/caller.ts';
import { SESSION_COOKIE } from '../access/identify.ts';
import type { Identify } from '../access/identify.ts';
import type { Keys } from '../access/keys.ts';
import { SESSION_SECONDS } from '../access/sessions.ts';
import type { Sessions } from '../access/sessions.ts';
import { readCookie } from '../lib/cookie.ts';
import { Problem } from '../problems.ts';

export interface SessionRoutesOptions {
  readonly keys: Pick<Keys, 'exist'>;
  readonly sessions: Sessions;
  readonly identify: Identify;
}

const sessionSchema = z
  .object({
    required: z.boolean().describe('Whether this server asks for a key'),
    tenant: z
      .string()
      .nullable()
      .describe('Whose key, or session, came with the request. Null: none that holds'),
    scopes: z.array(z.enum(SCOPES)),
  })
  .meta({ id: 'Session' });

export const sessionRoutes: FastifyPluginAsyncZod<SessionRoutesOptions> = async (app, options) => {
  const { keys, sessions, identify } = options;

  app.get(
    '/v1/session',
    {
      config: { scope: 'public' },
      schema: {
        summary: 'Is a key needed, and does this one hold?',
        tags: ['session'],
        response: { 200: sessionSchema },
      },
    },
    async (request, reply) => {
      void reply.header('cache-control', 'no-store');
      const required = await keys.exist();
      try {
        const { tenant, scopes } = await identify(request);
        return await reply.send({ required, tenant, scopes: [...scopes] });
      } catch (error) {
        if (!(error instanceof Problem) || error.code !== 'unauthenticated') throw error;
        return reply.send({ required, tenant: null, scopes: [] });
      }
    },
  );

  app.post(
    '/v1/session',
    {
      config: { scope: 'any' },
      schema: {
        summary: 'Sign a browser in',
        description:
          'Takes a key in `Authorization` and sets a cookie for what cannot send headers: images, videos, event streams. It may only read, and ends with its key, after seven days, or when its key opens a twenty-first. What it opened ends with it.',
        tags: ['session'],
        response: { 204: z.void() },
      },
    },
    async (request, reply) => {
      const { keyId } = request.caller;
      if (keyId === null) return reply.code(204).send();
      return setCookie(request, reply, await sessions.open({ id: keyId }), SESSION_SECONDS)
        .code(204)
        .send();
    },
  );

  app.delete(
    '/v1/session',
    {
      config: { scope: 'public' },
      schema: { summary: 'Sign the browser out', tags: ['session'], response: { 204: z.void() } },
    },
    async (request, reply) => {
      const session = readCookie(request.headers.cookie, SESSION_COOKIE);
      if (session !== undefined) await sessions.close(session);
      return setCookie(request, reply, '', 0).code(204).send();
    },
  );
};

/** RFC 6265bis: for this host alone, never with a request that another site caused, and no script may read it. */
function setCookie(
  { protocol }: FastifyRequest,
  reply: FastifyReply,
  value: string,
  maxAgeSeconds: number,
): FastifyReply {
  const secure = protocol === 'https' ? '; Secure' : '';
  return reply
    .header('cache-control', 'no-store')
    .header(
      'set-cookie',
      `${SESSION_COOKIE}=${value}; Path=/; Max-Age=${maxAgeSeconds}; HttpOnly; SameSite=Strict${secure}`,
    );
}
