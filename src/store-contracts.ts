// The seam to where files are kept: what the domain asks of a store.

import type { Readable } from 'node:stream';

export interface Blob {
  readonly key: string;
  readonly bytes: number;
  /** Milliseconds since 1970. */
  readonly modifiedAt: number;
}

export interface ByteRange {
  /** First byte, inclusive. */
  readonly start: number;
  /** Last byte, inclusive. */
  readonly end: number;
}

/** A path that FFmpeg and sharp can open; `await using` gives it back. */
export interface LocalFile extends AsyncDisposable {
  readonly path: string;
}

/** A piece of an upload: the first bytes of a segment. */
export interface StoredPiece {
  readonly key: string;
  /** So many count; behind them may lie what nobody vouches for. */
  readonly bytes: number;
  /** Whoever wrote it has ended for certain: nobody writes to it any more. */
  readonly closed: boolean;
}

/** Where uploads grow that come little by little. A segment has one writer, whom others may leave behind. */
export interface SegmentStore {
  /**
   * Writes `body` behind the first `at` bytes of a segment, which is made if `at` is 0; what lay behind them is dropped.
   * `kept` is told from time to time how many bytes of the segment are durable; the writing ends if it rejects.
   * Resolves, when nothing is written here any more, with the durable bytes and with what ended it before the body's end:
   * `storage_full`, `payload_too_large` (what fitted is kept), ENOENT if the segment is gone or has fewer bytes than `at`,
   * whatever the body or `kept` threw. Not `closed`: what was sent off may still be written, so nobody may go on with this
   * segment.
   */
  append(
    key: string,
    body: AsyncIterable<Uint8Array>,
    options: {
      readonly at: number;
      /** Of this body. */
      readonly maxBytes: number;
      readonly kept?: ((bytes: number) => Promise<void>) | undefined;
    },
  ): Promise<{ readonly bytes: number; readonly failure: unknown; readonly closed: boolean }>;
  /**
   * Makes a blob of pieces, in that order: all or nothing, durable. A single closed one may become it, and be gone. Rejects
   * with ENOENT where one is gone or too short, with `storage_full`, and where the signal aborts.
   */
  join(
    pieces: readonly StoredPiece[],
    to: string,
    options?: { readonly signal?: AbortSignal },
  ): Promise<Blob>;
}

/** Keeps sources and results. Keys are ours: `sources/{id}`, `results/{id}/{attempt}/{file}`. */
export interface BlobStore extends SegmentStore {
  /** All or nothing, durable when it resolves. Rejects `payload_too_large`, `storage_full`, or what the body was destroyed with. */
  put(
    key: string,
    body: Readable,
    options: { readonly maxBytes: number; readonly signal?: AbortSignal },
  ): Promise<Blob>;
  /** Takes over a finished local file of `scratch()`: a rename where that is possible. Durable when it resolves. */
  adopt(key: string, path: string, options?: { readonly signal?: AbortSignal | undefined }): Promise<Blob>;
  /** The same bytes under another key, without sending them through this process where that is possible. Rejects with ENOENT. */
  copy(from: string, to: string): Promise<Blob>;
  stat(key: string): Promise<Blob | undefined>;
  /** Rejects with ENOENT if there is no such blob. */
  read(key: string, range?: ByteRange): Promise<Readable>;
  /**
   * Fetched, where that must be, until the signal aborts. While the store is away it is tried for a minute; if not `patient`,
   * for a client that waits, it is given up at once.
   */
  local(
    key: string,
    options?: { readonly signal?: AbortSignal | undefined; readonly patient?: boolean },
  ): Promise<LocalFile>;
  /** The key, or every key below it if it ends with `/`. Deleting what is not there is fine. */
  delete(key: string): Promise<void>;
  /** Everything below a prefix, in no order. */
  list(prefix: string): AsyncIterable<Blob>;
  /** A new empty folder for one attempt's work, gone when disposed. */
  scratch(name: string): Promise<LocalFile>;
  /** Removes the unfinished files of a dead owner; without a name, of every owner that gives no sign of life. */
  tidy(owner?: string): Promise<void>;
  /**
   * Where anyone can fetch the blob from for so many seconds, without us; undefined where that is not possible or not wanted.
   * The answer there has this type and disposition, and no key is asked for.
   */
  link?(
    key: string,
    options: {
      readonly seconds: number;
      readonly mediaType: string;
      readonly disposition: string;
    },
  ): Promise<string | undefined>;
  /** Bytes that can still be stored, where that is known. */
  free(): Promise<number | undefined>;
  close(): Promise<void>;
}
