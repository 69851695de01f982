// Bytes in an ArrayBuffer of their own, so that they can be moved to a thread instead of copied.

import type { FileHandle } from 'node:fs/promises';
import { addAbortSignal } from 'node:stream';
import type { Readable } from 'node:stream';
import { Problem } from '../problems.ts';

/** All of an open file. */
export async function readOwn(file: FileHandle): Promise<Uint8Array<ArrayBuffer>> {
  const { size } = await file.stat();
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; ) {
    const { bytesRead } = await file.read(bytes, at, size - at, at);
    if (bytesRead === 0) throw new Problem('internal_error', 'The stored source is shorter than it was.');
    at += bytesRead;
  }
  return bytes;
}

/** All of a stream of so many bytes, where that is known. Rejects where the signal aborts. */
export async function readOwnStream(
  stream: Readable,
  expected: number | null,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new OwnBytes(expected ?? undefined, Number.POSITIVE_INFINITY);
  try {
    for await (const chunk of addAbortSignal(signal, stream) as AsyncIterable<Uint8Array>) bytes.push(chunk);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
  if (expected !== null && bytes.length < expected)
    throw new Problem('internal_error', 'The stored source is shorter than it was.');
  return bytes.take();
}

/**
 * Collects chunks. Told the final size in advance it writes straight into the final buffer; otherwise it
 * doubles as it goes. Never Node's pooled Buffers: their ArrayBuffer is shared and cannot be moved.
 */
export class OwnBytes {
  #bytes: Uint8Array<ArrayBuffer>;
  #length = 0;

  /** `expected`: bytes, from Content-Length; a claim, so not more than `most` is reserved for it. */
  constructor(expected: number | undefined, most: number) {
    this.#bytes = unfilled(Math.min(expected ?? 64 * 1024, most));
  }

  get length(): number {
    return this.#length;
  }

  push(chunk: Uint8Array): void {
    const needed = this.#length + chunk.length;
    if (needed > this.#bytes.length) {
      const grown = unfilled(Math.max(needed, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    this.#bytes.set(chunk, this.#length);
    this.#length = needed;
  }

  /** The bytes; nothing may be pushed afterwards. */
  take(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }
}

/** Not filled with zeros, which would cost as much as the copy: only what was pushed is ever handed out. */
function unfilled(bytes: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.allocUnsafeSlow(bytes).buffer);
}
