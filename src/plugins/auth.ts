// Who may call what: every route names its scope, and every request learns who its caller is.

import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import { ANYBODY } from '../access/caller.ts';
import type { Caller, Scope } from '../access/caller.ts';

/** `any`: every valid key. `public`: anybody, without a key. `signed`: the address itself carries a signature. */
export type RouteScope = Scope | 'any' | 'public' | 'signed';

declare module 'fastify' {
  interface FastifyContextConfig {
    scope?: RouteScope;
  }
  interface FastifyRequest {
    caller: Caller;
  }
}

/** Registered before all routes: one that names no scope is a mistake of ours and keeps the server from starting. */
export const auth = fp(
  async (app: FastifyInstance) => {
    app.addHook('onRoute', ({ url, config }) => {
      if (config?.scope === undefined) throw new Error(`the route ${url} names no scope`);
    });
    app.decorateRequest('caller', undefined as unknown as Caller);
    app.addHook('onRequest', async (request) => {
      request.caller = ANYBODY;
    });
  },
  { name: 'auth' },
);
