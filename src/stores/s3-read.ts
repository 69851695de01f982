// Reads objects of S3 to their end, also when the connection breaks on the way.

import { Readable } from 'node:stream';
import type { ByteRange } from '../contracts.ts';
import { pause } from '../lib/pause.ts';
import { Problem } from '../problems.ts';
import type { S3 } from './s3-client.ts';
import { s3Code, s3Failure } from './s3-failures.ts';

/** Breaks one behind the other that brought no byte. */
const TRIES = 5;
const PAUSE_MS = 200;

interface ReadOptions {
  readonly range?: ByteRange | undefined;
  /** Of the object that is meant: ENOENT for another one. */
  readonly etag?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Begins when it resolves; rejects with ENOENT. Whoever reads slowly loses the connection now and then, and does not
 * notice: what is missing is asked for again, of the very same object.
 */
export async function readObject(
  s3: S3,
  key: string,
  { range, etag, signal }: ReadOptions = {},
): Promise<Readable> {
  const left = new AbortController();
  const either = signal === undefined ? left.signal : AbortSignal.any([signal, left.signal]);
  let first;
  try {
    first = await s3.get(key, { range, etag, signal: either });
  } catch (error) {
    // Of an empty object there is no range.
    if (s3Code(error) === 'InvalidRange') return Readable.from([]);
    throw error;
  }
  const stream = Readable.from(chunksOf(s3, key, range?.start ?? 0, first, either), {
    objectMode: false,
    highWaterMark: 256 * 1024,
  });
  // Ends the waiting for bytes, which destroying alone would not.
  stream.once('close', () => {
    left.abort();
    first.body.destroy();
  });
  return stream;
}

async function* chunksOf(
  s3: S3,
  key: string,
  start: number,
  first: Awaited<ReturnType<S3['get']>>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const end = start + first.bytes - 1;
  let at = start;
  let { body } = first;
  for (let fails = 0; ; ) {
    const before = at;
    let broken: unknown;
    try {
      for await (const chunk of body as AsyncIterable<Uint8Array>) {
        at += chunk.length;
        yield chunk;
      }
    } catch (error) {
      broken = error;
    }
    if (at > end) return;
    signal.throwIfAborted();
    fails = at > before ? 1 : fails + 1;
    if (fails > TRIES) throw s3Failure(broken ?? new Error('S3 sent fewer bytes than it had said'));
    await pause(PAUSE_MS * fails, signal);
    try {
      ({ body } = await s3.get(key, { range: { start: at, end }, etag: first.etag, signal }));
    } catch (error) {
      // Gone or replaced: no other bytes may stand behind those that were given.
      if (!(error instanceof Problem)) throw error;
      body = Readable.from([]);
    }
  }
}
