// BlobStore in a bucket of S3: reached by all machines; what is not finished, and copies to work on, on this one's disk.

import { createWriteStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Blob, BlobStore } from '../contracts.ts';
import { limited } from '../lib/limited-body.ts';
import { byteGate, gateBySize } from './byte-gate.ts';
import { asProblem, keyParts, missing } from './disk-files.ts';
import { openLocalCopies } from './local-copies.ts';
import { appendToS3 } from './s3-append.ts';
import { openS3 } from './s3-client.ts';
import type { S3Options } from './s3-client.ts';
import { joinPieces, readSegment } from './s3-join.ts';
import { asBlob, isSegment, nextGeneration, partKey, segmentsAmong } from './s3-layout.ts';
import { abortStale } from './s3-multipart.ts';
import { readObject } from './s3-read.ts';
import { eachOf, inParts, sendFile, streamUpload } from './s3-upload.ts';
import { openWorkFolder } from './work-folder.ts';

export interface S3StoreOptions extends S3Options {
  /** Absolute path of a folder on this machine; made if missing. */
  readonly root: string;
  /** Unique per process life. */
  readonly owner: string;
  /** Copies of blobs that are kept in the folder beyond those in use. */
  readonly localBytes: number;
  /** Whether `link` gives addresses. */
  readonly redirects: boolean;
  /** Where clients reach the store, if it is not at `endpoint`. */
  readonly publicEndpoint?: string | undefined;
  readonly log?: { warn(fields: object, message: string): void };
  readonly now?: () => number;
}

/** Bytes of parts on their way that a process holds in memory. */
const IN_FLIGHT_BYTES = 64 * 1024 * 1024;
/** Of parts so small that they pass beside the others, and of all such together. */
const SMALL_BYTES = 256 * 1024;
const SMALL_IN_FLIGHT_BYTES = 8 * 1024 * 1024;
/** An upload in parts that was begun so long ago belongs to nobody; how often such are looked for. In milliseconds. */
const STALE_UPLOAD_MS = 48 * 3_600_000;
const STALE_EVERY_MS = 3_600_000;
/** Larger objects are copied in such pieces, several at once: one call for all would take minutes. */
const COPY_BYTES = 128 * 1024 * 1024;
const COPIES_AT_ONCE = 4;

/** Rejects with an Error for people where the bucket cannot be used. */
export async function openS3Store(options: S3StoreOptions): Promise<BlobStore> {
  const { root, owner, localBytes, redirects, log, now = Date.now } = options;
  const s3 = await openS3(options);
  const work = await openWorkFolder(root, owner);
  const { free } = work;
  const copies = await openLocalCopies({ folder: join(root, 'local'), work, maxBytes: localBytes });
  const gate = gateBySize(SMALL_BYTES, byteGate(SMALL_IN_FLIGHT_BYTES), byteGate(IN_FLIGHT_BYTES));
  const spooling = { unfinished: () => work.unfinished(), gate };
  let staleSoughtAt = 0;

  const assertKey = (key: string): void => void keyParts(key.replace(/\/$/, ''));

  /** The object that a whole blob is written to. Of a segment it is a part, in the place of all that are there. */
  function objectOf(key: string): string {
    assertKey(key);
    return isSegment(key) ? partKey(key, nextGeneration(0, now()), 0) : key;
  }

  async function statOf(key: string): Promise<Blob | undefined> {
    assertKey(key);
    if (isSegment(key)) {
      const objects = await Array.fromAsync(s3.list(`${key}/`));
      return objects.length === 0 ? undefined : asBlob(key, objects);
    }
    const found = await s3.head(key);
    return found && { key, bytes: found.bytes, modifiedAt: found.modifiedAt };
  }

  /** What has just been written. A question more would be one more that can fail, of what is there. */
  const written = (key: string, bytes: number): Blob => ({ key, bytes, modifiedAt: now() });

  async function read(key: string, range?: { start: number; end: number }): Promise<Readable> {
    assertKey(key);
    return isSegment(key) ? readSegment(s3, key, range) : readObject(s3, key, { range });
  }

  return {
    async put(key, body, { maxBytes, signal }) {
      // A body that breaks before the pipeline listens must not end the process; the pipeline will tell of it.
      body.once('error', () => undefined);
      const object = objectOf(key);
      try {
        await using upload = streamUpload(s3, object, { ...spooling, signal });
        await pipeline(
          body,
          async (source: AsyncIterable<Uint8Array>) => {
            for await (const chunk of limited(source, maxBytes, free)) await upload.write(chunk);
          },
          { ...(signal && { signal }) },
        );
        return written(key, await upload.end());
      } catch (error) {
        throw asProblem(error);
      }
    },

    async adopt(key, path, { signal } = {}) {
      const object = objectOf(key);
      const { size } = await stat(path);
      try {
        await sendFile(s3.patient, object, { path, bytes: size, gate, signal });
      } catch (error) {
        throw asProblem(error);
      }
      await rm(path, { force: true });
      return written(key, size);
    },

    async copy(from, to) {
      assertKey(from);
      const found = await s3.head(from);
      if (found === undefined) throw missing(`the store has no ${from}`);
      const object = objectOf(to);
      if (found.bytes <= COPY_BYTES) {
        await s3.copy(from, object);
      } else {
        await inParts(s3, object, found.bytes, (multipart, signal) =>
          eachOf(Math.ceil(found.bytes / COPY_BYTES), COPIES_AT_ONCE, signal, (index) => {
            const start = index * COPY_BYTES;
            const end = Math.min(start + COPY_BYTES, found.bytes) - 1;
            return multipart.copyPart(index + 1, from, { start, end });
          }),
        );
      }
      return written(to, found.bytes);
    },

    append: appendToS3({ ...spooling, s3, free, now }),

    async join(pieces, to, { signal } = {}) {
      return written(to, await joinPieces(s3, pieces, objectOf(to), { ...spooling, signal }));
    },

    stat: statOf,
    read,

    async local(key, { signal, patient = true } = {}) {
      assertKey(key);
      const calls = patient ? s3.patient : s3;
      const found = await calls.head(key, signal);
      if (found === undefined) throw missing(`the store has no ${key}`);
      const { etag, bytes } = found;
      return copies.lend({
        ...{ key, version: etag, bytes, signal },
        async fetch(path) {
          const object = await readObject(calls, key, { etag, signal });
          try {
            await pipeline(object, createWriteStream(path, { flags: 'wx' }), { ...(signal && { signal }) });
          } catch (error) {
            signal?.throwIfAborted();
            throw error;
          }
        },
      });
    },

    async delete(key) {
      assertKey(key);
      const remove = async (keys: readonly string[]): Promise<void> => {
        await s3.delete(keys);
        await copies.drop(keys);
      };
      if (!key.endsWith('/') && !isSegment(key)) return remove([key]);
      let keys: string[] = [];
      for await (const object of s3.list(key.endsWith('/') ? key : `${key}/`)) {
        keys.push(object.key);
        if (keys.length < 1000) continue;
        await remove(keys);
        keys = [];
      }
      if (keys.length > 0) await remove(keys);
    },

    async *list(prefix) {
      assertKey(prefix);
      const objects = s3.list(prefix.endsWith('/') ? prefix : `${prefix}/`);
      yield* isSegment(prefix) ? segmentsAmong(objects) : objects;
    },

    scratch: work.scratch,

    // The bucket has no bound that it tells of; this machine's disk takes part in whatever is written.
    free: async () => ((await free()) === 0 ? 0 : undefined),

    async tidy(dead) {
      await work.tidy(dead);
      if (dead !== undefined) return;
      await copies.evict();
      if (now() - staleSoughtAt < STALE_EVERY_MS) return;
      staleSoughtAt = now();
      try {
        const aborted = await abortStale(s3, now() - STALE_UPLOAD_MS);
        if (aborted > 0)
          log?.warn({ aborted }, 'removed unfinished uploads of dead processes from the bucket');
      } catch (error) {
        // Not every store tells of them, and not every key may ask.
        log?.warn({ err: error }, 'unfinished uploads in the bucket could not be looked for');
      }
    },

    link: async (key, how) => (redirects && !isSegment(key) ? s3.sign(key, how) : undefined),

    async close() {
      await work.close();
      s3.close();
    },
  };
}
