// Copies files from one store to another. What is there with its size is not sent again.

import { Readable } from 'node:stream';
import type { Blob } from '../contracts.ts';
import { BLOB_FOLDERS, inParallel, patiently } from './place.ts';
import type { Place } from './place.ts';

type Store = Place['store'];

export interface CopyOptions {
  readonly from: Store;
  readonly to: Store;
  /** Files under way at once. */
  readonly many: number;
  readonly signal: AbortSignal;
  /** A file is there now; `sent`: it was not before. */
  readonly done: (blob: Pick<Blob, 'key' | 'bytes'>, sent: boolean) => void;
  /** Bytes that have just gone out. */
  readonly sent: (bytes: number) => void;
}

export async function* blobsOf(store: Pick<Store, 'list'>): AsyncGenerator<Blob> {
  for (const folder of BLOB_FOLDERS) yield* store.list(folder);
}

/** All or nothing for each file: one that is broken off is not there, and comes with the next run. */
export async function copyBlobs({ from, to, many, signal, done, sent }: CopyOptions): Promise<void> {
  await inParallel(blobsOf(from), many, async (blob) => {
    signal.throwIfAborted();
    const isThere = await patiently(() => hasBlob(to, blob), signal);
    if (!isThere) await patiently(() => copyBlob(from, to, blob, { signal, sent }), signal);
    done(blob, !isThere);
  });
}

/** Whether a store has the file with this size. */
export async function hasBlob(
  store: Pick<Store, 'stat'>,
  { key, bytes }: Pick<Blob, 'key' | 'bytes'>,
): Promise<boolean> {
  return (await store.stat(key))?.bytes === bytes;
}

async function copyBlob(
  from: Store,
  to: Store,
  { key, bytes }: Blob,
  { signal, sent }: Pick<CopyOptions, 'signal' | 'sent'>,
): Promise<void> {
  const body = await from.read(key);
  try {
    const counting = Readable.from(counted(body, sent), { objectMode: false });
    const copied = await to.put(key, counting, { maxBytes: bytes, signal });
    if (copied.bytes === bytes) return;
    // It would pass for a file that is whole.
    await to.delete(key);
    throw new Error(`${key} has ${copied.bytes} bytes over there, and ${bytes} here`);
  } finally {
    body.destroy();
  }
}

/** The first bytes of a segment, as a segment: what an earlier run has written of it is written over. */
export async function copySegment(
  from: Store,
  to: Store,
  { key, bytes }: { readonly key: string; readonly bytes: number },
  sent: (bytes: number) => void,
): Promise<void> {
  const body = bytes === 0 ? [] : counted(await from.read(key, { start: 0, end: bytes - 1 }), sent);
  const { bytes: kept, failure } = await to.append(key, iterable(body), { at: 0, maxBytes: bytes });
  if (failure !== undefined) throw failure;
  if (kept !== bytes) throw new Error(`${key} has ${kept} bytes over there, and must have ${bytes}`);
}

async function* counted(body: Readable, sent: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    yield chunk;
    sent(chunk.length);
  }
}

async function* iterable<T>(items: Iterable<T> | AsyncIterable<T>): AsyncGenerator<T> {
  yield* items;
}
