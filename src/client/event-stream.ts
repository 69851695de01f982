// Server-sent events over fetch: parsed as the HTML standard says (§9.2), resumed where the connection broke.

import { MediamillError } from './error.ts';
import { backOff, pause } from './transport.ts';
import type { Transport } from './transport.ts';

export interface ServerEvent {
  /** Of the last event that had one; empty before. */
  readonly id: string;
  readonly type: string;
  readonly data: string;
}

/** Without any byte for so long, in milliseconds, a connection is dead: the server sends a comment every 15 s. */
const SILENCE_MS = 45_000;
/** Connections in a row that brought nothing before the stream is given up. */
const MAX_FAILURES = 6;

/** All events of a stream, for ever or until the server ends it with 204, the loop is left, or the signal aborts. */
export async function* followEvents(
  { send }: Transport,
  path: string,
  {
    after = '',
    signal,
  }: { readonly after?: string | undefined; readonly signal?: AbortSignal | undefined } = {},
): AsyncGenerator<ServerEvent, void, undefined> {
  let last = after;
  for (let failures = 0; ; ) {
    const ended = new AbortController();
    const life = signal === undefined ? ended.signal : AbortSignal.any([signal, ended.signal]);
    try {
      const response = await send(path, {
        headers: { accept: 'text/event-stream', 'last-event-id': last === '' ? undefined : last },
        signal: life,
      });
      if (response.status === 204) return;
      if (
        response.body === null ||
        response.headers.get('content-type')?.startsWith('text/event-stream') !== true
      )
        throw new MediamillError({
          code: 'unexpected_answer',
          status: response.status,
          detail: 'There is no stream of events.',
        });
      for await (const event of parseEvents(watched(response.body, ended))) {
        failures = 0;
        last = event.id;
        yield event;
      }
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof MediamillError && error.status !== 0) throw error;
      if (failures >= MAX_FAILURES) throw error;
    } finally {
      ended.abort();
    }
    await pause(backOff(failures++), signal);
  }
}

/** Ends a connection that has fallen silent. */
async function* watched(
  body: ReadableStream<Uint8Array>,
  connection: AbortController,
): AsyncGenerator<Uint8Array, void, undefined> {
  const silent = (): void => connection.abort(new Error('the stream fell silent'));
  let timer = setTimeout(silent, SILENCE_MS);
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(silent, SILENCE_MS);
      yield value;
    }
  } finally {
    clearTimeout(timer);
    await reader.cancel().catch(() => undefined);
  }
}

/** Events without data are no events. */
export async function* parseEvents(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<ServerEvent, void, undefined> {
  const decoder = new TextDecoder();
  let rest = '';
  let id = '';
  let type = '';
  let data: string[] = [];
  for await (const chunk of chunks) {
    rest += decoder.decode(chunk, { stream: true });
    // A lone CR at the end may be half of CRLF.
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0) yield { id, type: type === '' ? 'message' : type, data: data.join('\n') };
        type = '';
        data = [];
        continue;
      }
      const colon = line.indexOf(':');
      const field = colon === -1 ? line : line.slice(0, colon);
      const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (field === 'data') data.push(value);
      else if (field === 'event') type = value;
      else if (field === 'id' && !value.includes('\0')) id = value;
    }
  }
}
