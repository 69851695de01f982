// Segments of uploads as growing files, and one file made of many.

import { constants, createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { SegmentStore, StoredPiece } from '../contracts.ts';
import { limited } from '../lib/limited-body.ts';
import { asProblem, makeFolder, syncFolder, tooShort } from './disk-files.ts';

/** What has come is made durable after so many bytes, and after so long, in milliseconds, whichever is first. */
const KEEP_EVERY_BYTES = 64 * 1024 * 1024;
const KEEP_EVERY_MS = 2000;

export interface DiskSegmentOptions {
  readonly pathOf: (key: string) => string;
  readonly free: () => Promise<number>;
}

export function appendToDisk({ pathOf, free }: DiskSegmentOptions): SegmentStore['append'] {
  return async (key, body, { at, maxBytes, kept }) => {
    const path = pathOf(key);
    let file: FileHandle | undefined;
    let end = at;
    let durable = at;
    let failure: unknown;
    const keep = async (): Promise<void> => {
      if (file === undefined || durable === end) return;
      await file.datasync();
      durable = end;
      await kept?.(durable);
    };
    try {
      file = await openSegment(path, at);
      let keptAt = performance.now();
      for await (const chunk of limited(body, maxBytes, free)) {
        await writeWhole(file, chunk, end);
        end += chunk.length;
        if (end - durable < KEEP_EVERY_BYTES && performance.now() - keptAt < KEEP_EVERY_MS) continue;
        await keep();
        keptAt = performance.now();
      }
    } catch (error) {
      failure = asProblem(error);
    }
    try {
      // Also what came before a break: it was written, and it counts.
      await keep();
    } catch (error) {
      failure ??= asProblem(error);
    } finally {
      await file?.close();
    }
    return { bytes: durable, failure, closed: true };
  };
}

/** An old segment is never made anew: if it is gone, so is the upload. */
async function openSegment(path: string, at: number): Promise<FileHandle> {
  if (at === 0) await makeFolder(dirname(path));
  const file = await open(path, at === 0 ? constants.O_RDWR | constants.O_CREAT : 'r+');
  try {
    const { size } = await file.stat();
    if (size < at) throw tooShort(size, at);
    if (size > at) await file.truncate(at);
    if (at === 0) await syncFolder(dirname(path));
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function writeWhole(file: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < chunk.length; ) {
    const { bytesWritten } = await file.write(chunk, done, chunk.length - done, position + done);
    done += bytesWritten;
  }
}

/** Whether a file may become the blob as it is: nobody writes to it, and it has not a byte too many. */
export async function isBlobAlready(
  pieces: readonly StoredPiece[],
  pathOf: (key: string) => string,
): Promise<boolean> {
  const [piece, ...others] = pieces;
  if (piece === undefined || others.length > 0 || !piece.closed) return false;
  return (await stat(pathOf(piece.key))).size === piece.bytes;
}

/** Writes the pieces one behind the other into `target`, which it closes. */
export async function joinInto(
  target: FileHandle,
  pieces: readonly StoredPiece[],
  { pathOf, free, signal }: DiskSegmentOptions & { readonly signal?: AbortSignal | undefined },
): Promise<void> {
  const total = pieces.reduce((sum, { bytes }) => sum + bytes, 0);
  await pipeline(
    limited(bytesOf(pieces, pathOf), total, free),
    target.createWriteStream({ highWaterMark: 1 << 20 }),
    { ...(signal && { signal }) },
  );
}

async function* bytesOf(
  pieces: readonly StoredPiece[],
  pathOf: (key: string) => string,
): AsyncGenerator<Uint8Array> {
  for (const { key, bytes } of pieces) {
    if (bytes === 0) continue;
    let seen = 0;
    const stream = createReadStream(pathOf(key), { end: bytes - 1, highWaterMark: 1 << 20 });
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      seen += chunk.length;
      yield chunk;
    }
    if (seen < bytes) throw tooShort(seen, bytes);
  }
}
