// Who may call what: every route names its scope, and every request learns who its caller is.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import type { ServerResponse } from 'node:http';
import { ANYBODY } from '../access/caller.ts';
import type { Caller, Scope } from '../access/caller.ts';
import type { Identify } from '../access/identify.ts';
import type { Keys } from '../access/keys.ts';
import { foreignPage, unknownHost } from '../access/pages.ts';
import type { Pages } from '../access/pages.ts';
import type { Sessions } from '../access/sessions.ts';
import { Problem } from '../problems.ts';

/** `any`: every valid key. `public`: anybody, without a key. `signed`: the address itself carries a signature. */
export type RouteScope = Scope | 'any' | 'public' | 'signed';

declare module 'fastify' {
  interface FastifyContextConfig {
    scope?: RouteScope;
    /** Answered under whatever name: it says nothing of anybody. */
    anyHost?: boolean;
  }
  interface FastifyRequest {
    /** Of public and signed addresses: ANYBODY, whoever it is. */
    caller: Caller;
    /** Of a stream of events: aborted when its key or session holds no more. */
    revoked: AbortSignal | undefined;
  }
}

export interface AuthOptions {
  readonly identify: Identify;
  readonly keys: Pick<Keys, 'exist' | 'usable'>;
  readonly sessions: Pick<Sessions, 'isOpen'>;
  readonly pages: Pages;
}

const MOST_LISTENERS = 30;

/** How often the keys of requests under way are looked at, in milliseconds. */
export const WATCH_EVERY_MS = 400;

/**
 * Registered before all routes: one that names no scope is a mistake of ours and keeps the server from starting.
 * Answers 401 and 403 before a body is read. Requests under way end within a second when their key is revoked, their
 * session ends, or, of those without a key, when the first one is made.
 */
export const auth = fp(
  async (app: FastifyInstance, { identify, keys, sessions, pages }: AuthOptions) => {
    app.addHook('onRoute', ({ url, config }) => {
      if (config?.scope === undefined) throw new Error(`the route ${url} names no scope`);
    });
    app.decorateRequest('caller', undefined as unknown as Caller);
    app.decorateRequest('revoked', undefined);

    const underWay = new Map<string, UnderWay>();
    app.addHook('onRequest', async (request, reply) => {
      // An address that does not exist has no scope either: 404 is no secret.
      const { scope, anyHost = false } = request.routeOptions.config;
      if (scope !== undefined && !anyHost && !pages.knowsHost(request) && !(await keys.exist()))
        throw unknownHost(request.headers.host ?? '');
      if (scope === undefined || scope === 'public' || scope === 'signed') {
        request.caller = ANYBODY;
        return;
      }
      const caller = await identify(request);
      if (scope !== 'any' && !caller.scopes.has(scope)) throw forbidden(scope, caller);
      if (caller.keyId === null && pages.isForeign(request)) throw foreignPage(request.headers.origin);
      request.caller = caller;
      note(caller, request, reply);
    });

    /** Uploads and streams of events last for hours: longer than a key may. */
    function note({ keyId, sessionId }: Caller, request: FastifyRequest, { raw }: FastifyReply): void {
      // A client that left meanwhile: its `close` has been.
      if (raw.destroyed || raw.closed) return;
      const name = sessionId ?? keyId ?? '';
      const own = underWay.get(name) ?? { keyId, sessionId, responses: new Map() };
      underWay.set(name, own);
      const end = request.routeOptions.config.held === true ? new AbortController() : undefined;
      request.revoked = end?.signal;
      own.responses.set(raw, end);
      // Plugins, limits and a stream that is being made all wait for the end of an answer: more than Node's ten, and no leak.
      raw.setMaxListeners(MOST_LISTENERS);
      raw.once('close', () => {
        own.responses.delete(raw);
        if (own.responses.size === 0 && underWay.get(name) === own) underWay.delete(name);
      });
    }
    let watching: Promise<unknown> | undefined;
    const timer = setInterval(() => {
      watching ??= Promise.all([...underWay.values()].map(cutOff))
        .catch((error: unknown) =>
          app.log.warn({ err: error }, 'the keys of requests under way could not be looked at'),
        )
        .finally(() => (watching = undefined));
    }, WATCH_EVERY_MS);
    async function cutOff(own: UnderWay): Promise<void> {
      if (await holds(own)) return;
      for (const [response, end] of own.responses) {
        // A stream that can end by itself has until the next look: cut off, it would look like a broken network.
        if (end === undefined || end.signal.aborted) response.destroy();
        else end.abort();
      }
    }
    async function holds({ keyId, sessionId }: UnderWay): Promise<boolean> {
      if (keyId === null) return !(await keys.exist());
      if ((await keys.usable(keyId)) === undefined) return false;
      return sessionId === null || sessions.isOpen(sessionId);
    }
    app.addHook('onClose', async () => {
      clearInterval(timer);
      await watching;
    });
  },
  { name: 'auth' },
);

/** For routes that take more than their own scope says, depending on what is asked. Throws `forbidden`. */
export function demandScope(caller: Caller, scope: Scope): void {
  if (!caller.scopes.has(scope)) throw forbidden(scope, caller);
}

/** What was let in by one key or session, or without any. */
interface UnderWay {
  readonly keyId: string | null;
  readonly sessionId: string | null;
  /** With what ends those that can end by themselves. */
  readonly responses: Map<ServerResponse, AbortController | undefined>;
}

/** RFC 6750 §3.1. */
function forbidden(scope: Scope, { scopes }: Caller): Problem {
  return new Problem(
    'forbidden',
    `This takes a key with the scope ${scope}; the one that was sent has ${[...scopes].join(', ')}. Use another key.`,
    {
      headers: {
        'www-authenticate': `Bearer realm="mediamill", error="insufficient_scope", scope="${scope}"`,
      },
    },
  );
}
