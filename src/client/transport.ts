// One call over fetch: the key, the retries, and an Idempotency-Key so that a retry never makes a thing twice.

import { errorOf, MediamillError } from './error.ts';

export interface ClientOptions {
  /** Where the server is, e.g. `https://media.example.com`. In a page of the server itself it may be left out. */
  readonly url?: string | URL;
  /** `mm_…`; without one the calls are made without a key. */
  readonly key?: string;
  /** How often a call is tried again after 429, 502, 503, 504 or a broken connection. 4 unless told. */
  readonly retries?: number;
  /** The longest `Retry-After` that is waited for, in seconds; past it the call rejects at once. 30 unless told. */
  readonly maxRetryAfter?: number;
  /** In place of the global one. */
  readonly fetch?: typeof globalThis.fetch;
}

export type Query = Readonly<Record<string, string | number | boolean | readonly unknown[] | undefined>>;

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface Call extends CallOptions {
  readonly method?: string;
  readonly query?: Query | undefined;
  readonly headers?: Readonly<Record<string, string | undefined>>;
  /** Sent as JSON. */
  readonly json?: unknown;
  readonly body?: NonNullable<RequestInit['body']> | undefined;
  /** It makes something: true, or the Idempotency-Key to make it under. */
  readonly creates?: boolean | string | undefined;
  /** Overrides the client's. */
  readonly retries?: number;
  /** Statuses beside 2xx that are an answer and no error. */
  readonly expects?: readonly number[];
}

export interface Transport {
  /** Rejects with MediamillError, or with the signal's reason. */
  readonly send: (path: string, call?: Call) => Promise<Response>;
  readonly json: <T>(path: string, call?: Call) => Promise<T>;
  readonly address: (path: string, query?: Query) => string;
}

const PASSING = new Set([429, 502, 503, 504]);

export function transport(options: ClientOptions = {}): Transport {
  const { key, retries: usual = 4, maxRetryAfter = 30 } = options;
  // Called as a function of its own: browsers refuse it as a method of anything else.
  const fetchIt = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
  const base = String(options.url ?? '').replace(/\/+$/, '');

  const address: Transport['address'] = (path, query = {}) => {
    const pairs = Object.entries(query).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, Array.isArray(value) ? value.join(',') : String(value)]],
    );
    const search = new URLSearchParams(pairs).toString();
    return `${base}${path}${search === '' ? '' : `?${search}`}`;
  };

  const send: Transport['send'] = async (path, call = {}) => {
    const { method = 'GET', query, json, creates = false, signal, expects = [] } = call;
    const body = json === undefined ? call.body : JSON.stringify(json);
    const headers = {
      ...(key !== undefined && { authorization: `Bearer ${key}` }),
      ...(json !== undefined && { 'content-type': 'application/json' }),
      ...(creates !== false && {
        'idempotency-key': typeof creates === 'string' ? creates : crypto.randomUUID(),
      }),
      ...call.headers,
    };
    const init: RequestInit = {
      method,
      headers: Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined),
      ...(signal !== undefined && { signal }),
      ...(body !== undefined && { body }),
    };
    // What was read of a stream is gone, and half-duplex is the only kind that fetch knows.
    const isStream = body instanceof ReadableStream;
    const retries = isStream ? 0 : (call.retries ?? usual);
    for (let attempt = 0; ; attempt++) {
      const answer = await attemptOf(
        () => fetchIt(address(path, query), { ...init, ...(isStream && { duplex: 'half' }) }),
        signal,
      );
      if (answer instanceof Response && (answer.ok || expects.includes(answer.status))) return answer;
      const error = answer instanceof Response ? await errorOf(answer) : answer;
      const passes = error.status === 0 || PASSING.has(error.status) || isInFlight(error);
      if (!passes || attempt >= retries || (error.retryAfter ?? 0) > maxRetryAfter) throw error;
      await pause(Math.max((error.retryAfter ?? 0) * 1000, backOff(attempt)), signal);
    }
  };
  return {
    address,
    send,
    async json<T>(path: string, call?: Call) {
      const response = await send(path, call);
      return (await response.json()) as T;
    },
  };
}

async function attemptOf(
  attempt: () => Promise<Response>,
  signal: AbortSignal | undefined,
): Promise<Response | MediamillError> {
  try {
    return await attempt();
  } catch (error) {
    signal?.throwIfAborted();
    const reason = (error as Error).cause ?? error;
    return new MediamillError({
      code: 'unreachable',
      status: 0,
      detail: `The server cannot be reached: ${(reason as Error).message || String(error)}.`,
      cause: error,
    });
  }
}

/** The first of two same calls is still being answered. */
const isInFlight = ({ code }: MediamillError): boolean => (code as string) === 'idempotency_in_flight';

/** Milliseconds: about 0.2, 0.4, 0.8 … 10 s, spread so that clients do not come back all at once. */
export const backOff = (attempt: number): number =>
  Math.min(10_000, 200 * 2 ** attempt) * (0.5 + Math.random() / 2);

/** Rejects with the signal's reason. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  signal?.throwIfAborted();
  const stop = (): void => reject(signal?.reason as Error);
  const timer = setTimeout(resolve, ms);
  signal?.addEventListener('abort', stop, { once: true });
  return promise.finally(() => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
  });
}
