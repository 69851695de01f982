// What a server has stored, looked up beside it: on the disk or in S3, as the mode of the run is.

import { buffer } from 'node:stream/consumers';
import type { BlobStore } from '../../src/contracts.ts';
import { openStore } from '../../src/stores/open.ts';
import { configIn } from './mode.ts';

async function withStore<T>(dataDir: string, look: (store: BlobStore) => Promise<T>): Promise<T> {
  const store = await openStore(configIn(dataDir), { owner: 'onlooker' });
  try {
    return await look(store);
  } finally {
    await store.close();
  }
}

/** Everything that is kept in a store begins with one of these. */
const ROOTS = ['sources/', 'results/', 'uploads/', 'segments/', 'chunks/'];

/** Keys of all blobs below some prefixes, such as `sources/`, sorted. */
export function blobsOf(dataDir: string, ...prefixes: readonly string[]): Promise<string[]> {
  return withStore(dataDir, async (store) => [...(await blobsIn(store, prefixes)).keys()].toSorted());
}

/** Bytes by key of all blobs below some prefixes; without any, of all. */
export async function blobsIn(
  store: BlobStore,
  prefixes: readonly string[] = [],
): Promise<Map<string, number>> {
  const blobs = new Map<string, number>();
  for (const prefix of prefixes.length > 0 ? prefixes : ROOTS)
    for await (const { key, bytes } of store.list(prefix)) blobs.set(key, bytes);
  return blobs;
}

/** Rejects with ENOENT. */
export function blobBytes(dataDir: string, key: string): Promise<Buffer> {
  return withStore(dataDir, async (store) => buffer(await store.read(key)));
}
