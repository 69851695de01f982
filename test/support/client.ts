// An HTTP client that hides nothing: one connection per call, bodies of any shape, answers as they came.

import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import type { Agent, IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  json(): unknown;
}

export interface Call {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Bytes are sent with Content-Length; an iterable is sent chunked, as it comes. */
  readonly body?: Uint8Array | string | AsyncIterable<Uint8Array>;
  /** Without one every call has a connection of its own, so that calls go round all processes. */
  readonly agent?: Agent;
  readonly timeoutMs?: number;
  /** Called as soon as status and headers are there. */
  readonly onHead?: (head: IncomingMessage) => void;
}

/** Rejects with the connection's error if no whole answer comes. */
export function call(address: string, path: string, options: Call = {}): Promise<Answer> {
  const { method = 'GET', headers = {}, body, agent, timeoutMs = 60_000, onHead } = options;
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const outgoing = request(new URL(path, address), { method, headers, agent: agent ?? false });
  let answered = false;
  const timer = setTimeout(() => outgoing.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  outgoing.once('response', (incoming) => {
    answered = true;
    onHead?.(incoming);
    buffer(incoming).then((bytes) => {
      // Whatever of our body is still to be sent: nobody wants it any more.
      if (!outgoing.writableFinished) outgoing.destroy();
      resolve(answer(incoming, bytes));
    }, reject);
  });
  // A server may answer and close before our body's end; writing on then fails, but the answer counts.
  outgoing.on('error', (error) => {
    if (!answered) reject(error);
  });
  if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) {
    outgoing.end(body);
  } else {
    const chunks = Readable.from(body);
    outgoing.once('close', () => chunks.destroy());
    chunks.pipe(outgoing);
  }
  return promise.finally(() => clearTimeout(timer));
}

function answer(head: IncomingMessage, body: Buffer): Answer {
  return {
    status: head.statusCode ?? 0,
    headers: head.headers,
    body,
    json: () => JSON.parse(body.toString('utf8')) as unknown,
  };
}

export interface Part {
  readonly name: string;
  /** Makes it a file. */
  readonly filename?: string;
  readonly content: string | Uint8Array;
}

/** A multipart/form-data body. `end: false` leaves the last boundary out. */
export function form(
  parts: readonly Part[],
  { end = true }: { readonly end?: boolean } = {},
): { body: Buffer; headers: { 'content-type': string } } {
  const boundary = `----mediamill${randomBytes(12).toString('hex')}`;
  const pieces = parts.flatMap(({ name, filename, content }) => [
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"`,
    filename === undefined
      ? '\r\n\r\n'
      : `; filename="${filename}"\r\nContent-Type: application/octet-stream\r\n\r\n`,
    content,
    '\r\n',
  ]);
  const body = Buffer.concat(
    [...pieces, end ? `--${boundary}--\r\n` : ''].map((piece) => Buffer.from(piece)),
  );
  return { body, headers: { 'content-type': `multipart/form-data; boundary=${boundary}` } };
}
