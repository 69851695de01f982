// What this folder uses of autocannon 9, which brings no types of its own.

declare module 'autocannon' {
  import type { EventEmitter } from 'node:events';

  export interface Request {
    method?: string;
    path?: string;
    headers?: Record<string, string>;
    body?: Buffer | string;
    /** `body` is decoded as UTF-8, so of no use where it is binary. A name sent twice has a nested array of values. */
    onResponse?(status: number, body: string, context: object, headers: Record<string, unknown>): void;
  }

  export interface Client {
    setRequests(requests: Request[]): void;
  }

  export interface Options {
    url: string;
    method?: string;
    headers?: Record<string, string>;
    body?: Buffer | string;
    /** Sent as multipart/form-data, with the boundary in the header. */
    form?: Record<string, { type: 'file'; path: string; options?: { contentType?: string } }>;
    connections?: number;
    /** Seconds. */
    duration?: number;
    /** Requests in all; instead of `duration`. */
    amount?: number;
    /** Milliseconds between the looks whether it is time to stop. */
    sampleInt?: number;
    /** Seconds. */
    timeout?: number;
    requests?: Request[];
    setupClient?(client: Client): void;
    verifyBody?(body: string): boolean;
  }

  export interface Result {
    errors: number;
    timeouts: number;
    mismatches: number;
    non2xx: number;
    '2xx': number;
    statusCodeStats: Record<string, { count: number }>;
    /** `sent` counts those whose answer never came, too. */
    requests: { sent: number; total: number };
  }

  /** Emits `response` (client, status, bytes, milliseconds) and `reqError` (error). */
  interface Instance extends EventEmitter, PromiseLike<Result> {
    stop(): void;
  }

  export default function autocannon(options: Options): Instance;
}
