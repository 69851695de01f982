// What is asked of the cache of renditions: a seam as those of contracts.ts.

import type { Readable } from 'node:stream';
import type { ProblemDocument } from '../problems.ts';

/** Names one rendition of one source: both are hashes in hex, see lib/cache-key.ts. */
export interface CacheKey {
  readonly source: string;
  readonly variant: string;
}

/** What is kept beside a rendition's bytes; or of a failure, so that it is not repeated at once. */
export interface CacheFacts {
  /** Strong, in its quotes. */
  readonly etag: string;
  /** Of the source's bytes. */
  readonly version: string;
  /** Milliseconds after which it is stale; null: never. */
  readonly freshMs: number | null;
  readonly mediaType: string;
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  readonly decisions: readonly string[];
  /** Whether `maxBytes` was reached, where it was asked for. */
  readonly fits?: boolean;
  /** Instead of a rendition. */
  readonly problem?: ProblemDocument;
}

export interface CacheEntry {
  readonly facts: CacheFacts;
  readonly bytes: number;
  /** Milliseconds since 1970: when it was made, or last found to be still right. */
  readonly storedAt: number;
}

export interface CacheContent {
  readonly entry: CacheEntry;
  readonly body: Buffer | Readable;
}

/** Renditions on the machine, shared by its processes. Losing an entry only costs time. */
export interface ImageCache {
  /** What is stored, also if it is stale. From memory if it was looked at within the last second, then without a promise. */
  find(key: CacheKey): CacheEntry | undefined | Promise<CacheEntry | undefined>;
  /** Its bytes, and the facts that belong to them: it may have been replaced since. Undefined if it is gone. */
  read(key: CacheKey): Promise<CacheContent | undefined>;
  /**
   * A fresh entry. Where there is none, `work` makes it: once for all who ask at the same time, in whatever process. It is
   * given the stale entry, and may say that this is still right. Rejects with what `work` rejects with.
   */
  make(
    key: CacheKey,
    work: (
      stale: CacheEntry | undefined,
    ) => Promise<{ readonly facts: CacheFacts; readonly data: Uint8Array } | 'unchanged'>,
  ): Promise<CacheContent>;
  /** Forgets everything of a source; other processes notice within a second. What is being made of it is not kept. */
  purge(source: string): Promise<void>;
  /** Removes what was not asked for the longest until the bound holds, and what dead processes left. */
  sweep(): Promise<void>;
  close(): Promise<void>;
}
