// BlobStore in a folder. Published by rename, durable by fsync, never half-written.

import { constants, copyFile, link, mkdir, open, opendir, rename, rm, stat, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Blob, BlobStore, ByteRange } from '../contracts.ts';
import { limited } from '../lib/limited-body.ts';
import { asProblem, isMissing, keyParts, makeFolder, syncFile, syncFolder } from './disk-files.ts';
import { appendToDisk, isBlobAlready, joinInto } from './disk-segments.ts';
import { lent, openWorkFolder } from './work-folder.ts';

export interface DiskStoreOptions {
  /** Absolute path; made if missing. Everything stays on this one file system, so that a rename publishes. */
  readonly root: string;
  /** Unique per process life: unfinished files lie in a folder of this name. */
  readonly owner: string;
}

/** Opens (and makes) the folder: `blobs/` holds what is published, `work/{owner}/` what is not finished. */
export async function openDiskStore({ root, owner }: DiskStoreOptions): Promise<BlobStore> {
  const blobs = join(root, 'blobs');
  await mkdir(blobs, { recursive: true });
  const work = await openWorkFolder(root, owner);
  const { unfinished, free } = work;
  const pathOf = (key: string): string => join(blobs, ...keyParts(key));

  async function publish(key: string, path: string): Promise<Blob> {
    const target = pathOf(key);
    await syncFile(path);
    await makeFolder(dirname(target));
    await rename(path, target);
    await syncFolder(dirname(target));
    const { size, mtimeMs } = await stat(target);
    return { key, bytes: size, modifiedAt: mtimeMs };
  }

  return {
    async put(key, body, { maxBytes, signal }) {
      pathOf(key); // a wrong key must fail before the first byte
      // A body that breaks before the pipeline listens must not end the process; the pipeline will tell of it.
      body.once('error', () => undefined);
      const path = await unfinished();
      try {
        // Opened before, not by the stream: one that is destroyed while it opens would leave the file behind our removal.
        const file = await open(path, 'wx');
        await pipeline(
          body,
          (source: AsyncIterable<Uint8Array>) => limited(source, maxBytes, free),
          file.createWriteStream({ highWaterMark: 1 << 20 }),
          { ...(signal && { signal }) },
        );
        return await publish(key, path);
      } catch (error) {
        await rm(path, { force: true });
        throw asProblem(error);
      }
    },

    async adopt(key, path) {
      try {
        return await publish(key, path);
      } catch (error) {
        throw asProblem(error);
      }
    },

    async copy(from, to) {
      const path = await unfinished();
      try {
        // Blobs are never written again, so two names may lead to the same bytes.
        await link(pathOf(from), path).catch(async (error: NodeJS.ErrnoException) => {
          if (isMissing(error)) throw error;
          // A file system without hard links, or a file with too many.
          await copyFile(pathOf(from), path, constants.COPYFILE_FICLONE);
        });
        // A link has the age of what it leads to: the sweeper would take the copy for a stray of long ago.
        const now = new Date();
        await utimes(path, now, now);
        return await publish(to, path);
      } catch (error) {
        await rm(path, { force: true });
        throw asProblem(error);
      }
    },

    append: appendToDisk({ pathOf, free }),

    async join(pieces, to, { signal } = {}) {
      const [first] = pieces;
      if (first !== undefined && (await isBlobAlready(pieces, pathOf))) return publish(to, pathOf(first.key));
      const path = await unfinished();
      try {
        await joinInto(await open(path, 'wx'), pieces, { pathOf, free, signal });
        return await publish(to, path);
      } catch (error) {
        await rm(path, { force: true });
        throw asProblem(error);
      }
    },

    async stat(key) {
      try {
        const { size, mtimeMs } = await stat(pathOf(key));
        return { key, bytes: size, modifiedAt: mtimeMs };
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    },

    async read(key: string, range?: ByteRange): Promise<Readable> {
      // Opened here, so that a missing blob rejects instead of breaking an answer that has begun.
      const file = await open(pathOf(key));
      return file.createReadStream({
        highWaterMark: 256 * 1024,
        ...(range && { start: range.start, end: range.end }),
      });
    },

    local: async (key) => lent(pathOf(key), async () => undefined),

    async delete(key) {
      await rm(pathOf(key.replace(/\/$/, '')), { recursive: true, force: true });
    },

    list: (prefix) => walk(pathOf(prefix.replace(/\/$/, '')), prefix.replace(/\/$/, '')),

    scratch: work.scratch,
    tidy: work.tidy,
    close: work.close,
    free,
  };
}

async function* walk(path: string, key: string): AsyncIterable<Blob> {
  let folder;
  try {
    folder = await opendir(path);
  } catch (error) {
    if (isMissing(error)) return;
    throw error;
  }
  for await (const entry of folder) {
    const childPath = join(path, entry.name);
    const childKey = `${key}/${entry.name}`;
    if (entry.isDirectory()) {
      yield* walk(childPath, childKey);
    } else {
      const found = await stat(childPath).catch(() => undefined); // deleted meanwhile
      if (found) yield { key: childKey, bytes: found.size, modifiedAt: found.mtimeMs };
    }
  }
}
