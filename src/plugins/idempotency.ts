// Idempotency-Key: a request that is repeated with its key is answered as it was, and makes nothing twice.

import { hash } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import fp from 'fastify-plugin';
import { Readable } from 'node:stream';
import { reused } from '../idempotency/calls.ts';
import type { DoneCall, IdempotentCalls, KeptAnswer, OwnCall } from '../idempotency/calls.ts';
import { detach, incomplete } from '../lib/detach.ts';
import { newId } from '../lib/id.ts';
import { parseIdempotencyKey } from '../lib/idempotency-key.ts';
import { Problem } from '../problems.ts';
import { hasBody, receiveFile } from './media-body.ts';

/** How a route takes Idempotency-Key. Its success must be JSON, or have no body. */
export interface IdempotentRoute {
  /** The requests on which it is taken; all if not said. Headers and the query as it came are known by then. */
  readonly when?: (request: FastifyRequest) => boolean;
  /** The answer for what an earlier request of the same `generation` has made before its process died, if it has. */
  readonly made?: (request: FastifyRequest, generation: string) => Promise<KeptAnswer | undefined>;
  /** Fields of the answer that are told once: they are not kept, and left out when it is given again. */
  readonly forget?: readonly string[];
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route takes Idempotency-Key. */
    idempotent?: IdempotentRoute;
  }
  interface FastifyRequest {
    /** There if the request has an Idempotency-Key and its route takes one. */
    idempotency: OwnCall | DoneCall | undefined;
  }
}

export interface IdempotencyOptions {
  readonly calls: IdempotentCalls;
  /** Milliseconds between two signs of life of a request at work. */
  readonly beatMs: number;
}

/** Of an answer, what is kept beside its body. */
const KEPT_HEADERS = ['content-type', 'location', 'cache-control', 'preference-applied', 'vary'];
/** A request whose client has left may still be making something; past so many beats it hangs. */
const BEATS_WITHOUT_CLIENT = 12;

/** Registered after `auth` and before all routes. */
export const idempotency = fp(
  async (app: FastifyInstance, { calls, beatMs }: IdempotencyOptions) => {
    const beats = new Map<OwnCall, NodeJS.Timeout>();
    const stop = (call: OwnCall): void => {
      clearInterval(beats.get(call));
      beats.delete(call);
    };
    app.addHook('onClose', async () => {
      for (const timer of beats.values()) clearInterval(timer);
    });
    app.decorateRequest('idempotency', undefined);

    app.addHook('onRoute', (route) => {
      const { idempotent } = route.config ?? {};
      if (idempotent === undefined) return;
      const { when = () => true, forget = [] } = idempotent;
      const begins = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
        const header = request.headers['idempotency-key'];
        if (header !== undefined && when(request)) await begin(request, reply, header, idempotent);
      };
      const keeps = (request: FastifyRequest, reply: FastifyReply, payload: unknown): Promise<unknown> =>
        keep(request, reply, payload, forget);
      route.onRequest = [begins, ...admissionOf(route)];
      route.preHandler = [...[route.preHandler ?? []].flat(), answerAgain];
      route.onSend = [...[route.onSend ?? []].flat(), keeps];
    });

    async function begin(
      request: FastifyRequest,
      reply: FastifyReply,
      header: string | readonly string[],
      { made }: IdempotentRoute,
    ): Promise<void> {
      const call = await calls.begin({
        tenant: request.caller.tenant,
        key: parseIdempotencyKey(header),
        target: `${request.method} ${request.url}`,
        made: made && ((generation) => made(request, generation)),
      });
      request.idempotency = call;
      if (call.kind === 'done') {
        request.witness = async ({ digest }) => {
          if (digest !== call.seal.digest) throw reused('body');
        };
        return;
      }
      request.witness = (seal) => call.seal(seal);
      let alone = 0;
      const beat = (): void => {
        if (reply.raw.closed && ++alone > BEATS_WITHOUT_CLIENT) stop(call);
        call.beat().catch((error: unknown) => request.log.warn({ err: error }, 'a beat was not written'));
      };
      beats.set(call, setInterval(beat, beatMs));
      // Its client left while the key was looked up: whoever waits for its body would wait for ever.
      if (request.raw.destroyed && !request.raw.complete) throw incomplete();
    }

    /** What succeeded is kept before anybody is told of it; what failed may be tried again with the same key. */
    async function keep(
      request: FastifyRequest,
      reply: FastifyReply,
      payload: unknown,
      forget: readonly string[],
    ): Promise<unknown> {
      const call = request.idempotency;
      if (call?.kind !== 'own') return payload;
      stop(call);
      try {
        if (reply.statusCode >= 300) {
          await call.release();
          return payload;
        }
        const until = await call.finish(answerOf(reply, payload, forget));
        if (until !== undefined) void reply.header('idempotency-key-expires', new Date(until).toUTCString());
      } catch (error) {
        // It is made, and the client is told so; the key is taken over when its lease has run out, and makes nothing new.
        request.log.error({ err: error }, 'an answer could not be kept for its Idempotency-Key');
      }
      return payload;
    }
  },
  { name: 'idempotency', dependencies: ['auth'] },
);

/**
 * The id of what a request is to make: the same for whoever takes its call over, so that it is made once. Where it is kept
 * there must be a look for it.
 */
export function idFor({ idempotency: call }: Pick<FastifyRequest, 'idempotency'>): string {
  return call?.kind === 'own' ? call.generation : newId();
}

/** The route's own checks before a body is read: whether there is room for something new. A repetition needs none. */
function admissionOf(
  route: RouteOptions,
): ((request: FastifyRequest, reply: FastifyReply) => Promise<void>)[] {
  return [route.onRequest ?? []].flat().map((hook) => {
    if (hook.length > 2) throw new Error(`the onRequest hook of ${route.url} must return a promise`);
    const admit = hook as (request: FastifyRequest, reply: FastifyReply) => Promise<void>;
    return async (request, reply) => {
      if (request.idempotency?.kind !== 'done') await admit(request, reply);
    };
  });
}

/** Seals bodies that are parsed by now. A repetition is answered here; its file is read and hashed, and not stored. */
async function answerAgain(request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const call = request.idempotency;
  if (call === undefined) return undefined;
  // One that is announced as empty is read by nobody, whatever it says to be.
  const isMedia =
    hasBody(request) && (request.body instanceof Readable || (request.isMultipart?.() ?? false));
  if (!isMedia) {
    const parsed = hasBody(request) ? request.body : undefined;
    await request.witness?.({ digest: hash('sha256', JSON.stringify(parsed ?? null)), bytes: 0 });
  }
  if (call.kind === 'own') return undefined;
  if (isMedia) await readAgain(request, call);
  const { status, headers, body } = call.answer;
  return reply
    .code(status)
    .headers(headers)
    .header('idempotency-replayed', 'true')
    .header('idempotency-key-expires', new Date(call.expiresAt).toUTCString())
    .send(body);
}

async function readAgain(request: FastifyRequest, { seal }: DoneCall): Promise<void> {
  const drop = async (file: Readable): Promise<void> => {
    let seen = 0;
    for await (const chunk of detach(file) as AsyncIterable<Uint8Array>) {
      seen += chunk.length;
      if (seen > seal.bytes) throw reused('body');
    }
  };
  try {
    await receiveFile(request, {
      maxBytes: seal.bytes,
      fieldNames: 'any',
      take: drop,
      undo: async () => undefined,
    });
  } catch (error) {
    throw error instanceof Problem && error.code === 'payload_too_large' ? reused('body') : error;
  }
}

function answerOf(reply: FastifyReply, payload: unknown, forget: readonly string[]): KeptAnswer {
  if (payload !== undefined && payload !== null && typeof payload !== 'string') {
    throw new Error('only an answer of text can be given again');
  }
  const headers = KEPT_HEADERS.flatMap((name) => {
    const value = reply.getHeader(name);
    return value === undefined ? [] : [[name, String(value)]];
  });
  return {
    status: reply.statusCode,
    headers: Object.fromEntries(headers),
    body: without(forget, payload ?? ''),
  };
}

/** A text of JSON without some of its fields. */
function without(fields: readonly string[], text: string): string {
  if (fields.length === 0) return text;
  const whole = JSON.parse(text) as Record<string, unknown>;
  return JSON.stringify(Object.fromEntries(Object.entries(whole).filter(([name]) => !fields.includes(name))));
}
