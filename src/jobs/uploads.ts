// Stored sources: files that were uploaded to be used by name, until they expire or are removed.

import { buffer } from 'node:stream/consumers';
import type { BlobStore } from '../contracts.ts';
import { sourceMark } from '../lib/cache-key.ts';
import { isId } from '../lib/id.ts';
import { SNIFF_BYTES, sniff } from '../lib/media-type.ts';

/** How an upload is named as a source: `upload:{id}`. */
export const UPLOAD_PREFIX = 'upload:';
/** An upload never changes: all its bytes are of one version. */
export const UPLOAD_VERSION = 'upload';

export interface Upload {
  readonly id: string;
  readonly mediaType: string;
  readonly bytes: number;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

export interface Uploads {
  /** Undefined for one that is unknown, or whose time has come. */
  find(id: string): Promise<Upload | undefined>;
  /** Removes it and all that was made of it. False if there was none. */
  remove(id: string): Promise<boolean>;
  /** Removes those whose time has come; `now` in milliseconds since 1970. Their number. */
  expire(now: number): Promise<number>;
}

export interface UploadsOptions {
  readonly store: BlobStore;
  /** Forgets what was made of a source, by its mark. */
  readonly purge: (source: string) => Promise<void>;
  readonly ttlSeconds: number;
}

const FOLDER = 'uploads/';

export function uploadKey(id: string): string {
  return `${FOLDER}${id}`;
}

/** The id in `upload:{id}`. */
export function uploadId(reference: string): string | undefined {
  const id = reference.slice(UPLOAD_PREFIX.length);
  return reference.startsWith(UPLOAD_PREFIX) && isId(id) ? id : undefined;
}

export function createUploads({ store, purge, ttlSeconds }: UploadsOptions): Uploads {
  const ttlMs = ttlSeconds * 1000;
  // The source first: what is made of it after the purge finds nothing to be made of.
  const forget = async (id: string): Promise<void> => {
    await store.delete(uploadKey(id));
    await purge(sourceMark(`${UPLOAD_PREFIX}${id}`));
  };
  return {
    async find(id) {
      const blob = isId(id) ? await store.stat(uploadKey(id)) : undefined;
      if (blob === undefined || blob.modifiedAt + ttlMs <= Date.now()) return undefined;
      const mediaType = await mediaTypeOf(store, blob.key, blob.bytes);
      return mediaType === undefined
        ? undefined
        : { id, mediaType, bytes: blob.bytes, expiresAt: blob.modifiedAt + ttlMs };
    },

    async remove(id) {
      if (!isId(id) || (await store.stat(uploadKey(id))) === undefined) return false;
      await forget(id);
      return true;
    },

    async expire(now) {
      let count = 0;
      for await (const { key, modifiedAt } of store.list(FOLDER)) {
        if (modifiedAt + ttlMs > now) continue;
        await forget(key.slice(FOLDER.length));
        count++;
      }
      return count;
    },
  };
}

/** Told by the bytes again instead of being kept beside them. */
async function mediaTypeOf(store: BlobStore, key: string, bytes: number): Promise<string | undefined> {
  try {
    const head = await buffer(await store.read(key, { start: 0, end: Math.min(bytes, SNIFF_BYTES) - 1 }));
    return sniff(head)?.mediaType;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
