// Talking to the server: JSON in and out, with the key where there is one; problems as errors with their code.

import type { JobView } from '../jobs/job-view.ts';

export type Job = JobView;
export type JobOutput = JobView['outputs'][number];

/** An answer that is a problem (RFC 9457), or none at all (`unreachable`). */
export class ApiProblem extends Error {
  override readonly name = 'ApiProblem';
  readonly code: string;
  readonly status: number;
  readonly title: string;
  readonly errors: readonly { readonly field: string; readonly message: string }[];
  constructor(problem: Partial<Omit<ApiProblem, 'name'>> & { readonly detail?: string }) {
    super(problem.detail ?? problem.title ?? 'The server gave an answer that is not understood.');
    this.code = problem.code ?? 'unknown';
    this.status = problem.status ?? 0;
    this.title = problem.title ?? 'It did not work';
    this.errors = problem.errors ?? [];
  }
}

export interface Session {
  /** Whether the server asks for a key at all. */
  readonly required: boolean;
  /** Null: nobody is signed in. */
  readonly tenant: string | null;
  readonly scopes: readonly string[];
}

export interface Api {
  get<T>(path: string, options?: { readonly signal?: AbortSignal }): Promise<T>;
  /** `once`: an Idempotency-Key, with which the same may be sent again and is done once. */
  send<T>(method: 'POST' | 'PATCH' | 'DELETE', path: string, body?: unknown, once?: string): Promise<T>;
  /** The answer as it is, once it is known to be good. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** What must be sent with each request, by whoever sends it. */
  headers(): Record<string, string>;
  session(): Promise<Session>;
  /** Throws ApiProblem for a key that is not good. */
  signIn(key: string): Promise<void>;
  signOut(): Promise<void>;
  readonly hasKey: boolean;
}

/** Gone with the tab, and never on disk beyond it. */
const KEY = 'mediamill.key';

/** `onUnauthenticated`: a key was asked for that is not there, or is good no more. */
export function createApi(onUnauthenticated: () => void): Api {
  let key = sessionStorage.getItem(KEY) ?? '';
  const headers = (): Record<string, string> => (key === '' ? {} : { authorization: `Bearer ${key}` });

  async function request(path: string, init: RequestInit = {}): Promise<Response> {
    let response: Response;
    try {
      response = await fetch(path, { ...init, headers: { ...headers(), ...(init.headers as object) } });
    } catch (error) {
      if (init.signal?.aborted) throw error;
      throw new ApiProblem({
        code: 'unreachable',
        title: 'The server cannot be reached',
        detail: 'The server cannot be reached. It may be restarting; this page goes on trying.',
      });
    }
    if (response.ok) return response;
    const problem = await problemOf(response);
    if (problem.status === 401) onUnauthenticated();
    throw problem;
  }
  async function json<T>(response: Promise<Response>): Promise<T> {
    const answer = await response;
    return (answer.status === 204 ? undefined : await answer.json()) as T;
  }

  return {
    get hasKey() {
      return key !== '';
    },
    headers,
    fetch: request,
    get: (path, { signal } = {}) =>
      json(request(path, { headers: { accept: 'application/json' }, ...(signal && { signal }) })),
    send(method, path, body, once) {
      const headers = {
        accept: 'application/json',
        ...(once !== undefined && { 'idempotency-key': once }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      };
      return json(
        request(path, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) }),
      );
    },
    async session() {
      try {
        return await json<Session>(request('/v1/session'));
      } catch (error) {
        // Of a server that knows no keys.
        if (error instanceof ApiProblem && error.status === 404) {
          return { required: false, tenant: 'default', scopes: [] };
        }
        throw error;
      }
    },
    async signIn(given) {
      const response = await fetch('/v1/session', {
        method: 'POST',
        headers: { authorization: `Bearer ${given}` },
      });
      if (!response.ok) throw await problemOf(response);
      key = given;
      sessionStorage.setItem(KEY, given);
    },
    async signOut() {
      key = '';
      sessionStorage.removeItem(KEY);
      await fetch('/v1/session', { method: 'DELETE' }).catch(() => undefined);
    },
  };
}

async function problemOf(response: Response): Promise<ApiProblem> {
  try {
    return new ApiProblem((await response.json()) as Partial<ApiProblem>);
  } catch {
    // A proxy's own words, say.
    return new ApiProblem({ status: response.status, title: `The answer was ${response.status}` });
  }
}

/** What to tell of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
