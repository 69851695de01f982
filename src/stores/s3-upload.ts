// Sends streams of unknown length, and files, to S3: small ones whole, others in parts, with few bytes in memory.

import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { partSpool } from './part-spool.ts';
import type { PartSpool, PartSpoolOptions } from './part-spool.ts';
import type { S3 } from './s3-client.ts';
import { beginMultipart, evenPartBytes, PART_BYTES, partBytes } from './s3-multipart.ts';
import type { Multipart } from './s3-multipart.ts';

/** Parts of one upload that are sent at the same time. */
const AT_ONCE = 3;

export interface StreamUpload extends AsyncDisposable {
  write(chunk: Uint8Array): Promise<void>;
  /** Makes the object; resolves with its bytes. Without it, disposing leaves nothing. */
  end(): Promise<number>;
}

/** Ends by itself when `signal` aborts. `partSize`: bytes of part `number`, from 1. */
export function streamUpload(
  s3: S3,
  key: string,
  options: PartSpoolOptions & {
    readonly signal?: AbortSignal | undefined;
    readonly partSize?: ((number: number) => number) | undefined;
  },
): StreamUpload {
  const { partSize = partBytes } = options;
  const left = new AbortController();
  const signal = options.signal === undefined ? left.signal : AbortSignal.any([options.signal, left.signal]);
  const sending = new Set<Promise<void>>();
  let begun: Promise<Multipart> | undefined;
  let spool = partSpool(options);
  let number = 1;
  let total = 0;
  let failure: { readonly error: unknown } | undefined;
  let isMade = false;

  async function send(part: PartSpool, partNumber: number): Promise<void> {
    await using own = part;
    begun ??= beginMultipart(s3, key, signal);
    const multipart = await begun;
    await own.use((bytes) => multipart.part(partNumber, bytes), { signal });
  }

  /** Goes on while few are under way. What fails is told by the next write. */
  async function cut(): Promise<void> {
    const done = send(spool, number)
      .catch((error: unknown) => void (failure ??= { error }))
      .finally(() => sending.delete(done));
    sending.add(done);
    spool = partSpool(options);
    number++;
    if (sending.size >= AT_ONCE) await Promise.race(sending);
  }

  function assertWell(): void {
    if (failure !== undefined) throw failure.error;
    signal.throwIfAborted();
  }

  return {
    async write(chunk) {
      for (let done = 0; done < chunk.length; ) {
        assertWell();
        const room = partSize(number) - spool.bytes;
        const piece = chunk.subarray(done, done + room);
        await spool.add(piece);
        total += piece.length;
        done += piece.length;
        if (piece.length === room) await cut();
      }
    },

    async end() {
      assertWell();
      if (begun === undefined) {
        await spool.use((bytes) => s3.put(key, bytes, signal), { signal });
      } else {
        if (spool.bytes > 0) await cut();
        await Promise.all(sending);
        assertWell();
        await (await begun).complete(total);
      }
      isMade = true;
      return total;
    },

    async [Symbol.asyncDispose]() {
      if (!isMade) left.abort();
      // A part that arrives behind the abort would stay, and be paid for.
      await Promise.all(sending);
      await spool[Symbol.asyncDispose]();
      if (!isMade) await (await begun?.catch(() => undefined))?.abort();
    },
  };
}

interface SendOptions extends Pick<PartSpoolOptions, 'gate'> {
  readonly path: string;
  readonly bytes: number;
  readonly signal?: AbortSignal | undefined;
}

/** Sends a file of so many bytes; several parts at once. */
export async function sendFile(
  s3: S3,
  key: string,
  { path, bytes, gate, signal }: SendOptions,
): Promise<void> {
  await using file = await open(path);
  if (bytes <= PART_BYTES) {
    await gate.pass(bytes, async () => s3.put(key, await readAt(file, 0, bytes), signal), signal);
    return;
  }
  const size = evenPartBytes(bytes);
  const count = Math.ceil(bytes / size);
  const send = (multipart: Multipart, either: AbortSignal): Promise<void> =>
    eachOf(count, AT_ONCE, either, async (index) => {
      const start = index * size;
      const length = Math.min(size, bytes - start);
      const pass = async (): Promise<void> => multipart.part(index + 1, await readAt(file, start, length));
      await gate.pass(length, pass, either);
    });
  await inParts(s3, key, bytes, send, signal);
}

/** All or nothing. The signal aborts when a part has failed. */
export async function inParts(
  s3: S3,
  key: string,
  bytes: number,
  send: (multipart: Multipart, signal: AbortSignal) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  const over = new AbortController();
  const either = signal === undefined ? over.signal : AbortSignal.any([signal, over.signal]);
  const multipart = await beginMultipart(s3, key, either);
  try {
    await send(multipart, either);
    either.throwIfAborted();
    await multipart.complete(bytes);
  } catch (error) {
    over.abort();
    await multipart.abort();
    throw error;
  }
}

/** Does `work` for 0 to `count` - 1, so many at once. When it rejects, none is under way any more. */
export async function eachOf(
  count: number,
  atOnce: number,
  signal: AbortSignal | undefined,
  work: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  let failure: { readonly error: unknown } | undefined;
  const one = async (): Promise<void> => {
    while (next < count && failure === undefined) {
      try {
        signal?.throwIfAborted();
        await work(next++);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, one));
  if (failure !== undefined) throw failure.error;
}

async function readAt(file: FileHandle, start: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(bytes, done, length - done, start + done);
    if (bytesRead === 0) throw new Error('a file became shorter while it was being stored');
    done += bytesRead;
  }
  return bytes;
}
