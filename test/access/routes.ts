// Every route of the real server, as the server itself registers them.

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { FastifyInstance } from 'fastify';
import type { RouteScope } from '../../src/plugins/auth.ts';
import { startTestServer } from '../support/server.ts';

export interface KnownRoute {
  readonly method: string;
  /** With `:id` and the like. */
  readonly url: string;
  readonly scope: RouteScope;
}

/** Starts a server, looks on, and stops it. `env`: settings that open further routes. */
export async function routesOf(env: Record<string, string> = {}): Promise<KnownRoute[]> {
  const routes: KnownRoute[] = [];
  const look = (message: unknown): void => {
    const { fastify } = message as { fastify: FastifyInstance };
    fastify.addHook('onRoute', ({ method, url, config }) => {
      // A route without one would have kept the server from starting.
      const scope = config?.scope as RouteScope;
      for (const each of [method].flat()) routes.push({ method: each, url, scope });
    });
  };
  subscribe('fastify.initialization', look);
  const server = await startTestServer(env);
  unsubscribe('fastify.initialization', look);
  await server[Symbol.asyncDispose]();
  return routes;
}

/** Those that need a key. */
export function isGuarded({ scope }: KnownRoute): boolean {
  return scope !== 'public' && scope !== 'signed';
}
