// Copies of blobs on this machine's disk, for programs that read files: fetched once, kept while there is room.

import { hash } from 'node:crypto';
import { copyFile, link, mkdir, opendir, rename, rm, rmdir, stat, utimes } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';
import type { LocalFile } from '../contracts.ts';
import { Problem } from '../problems.ts';
import { lockFree, takeLock } from './cache-lock.ts';
import { asProblem, isMissing, syncFile } from './disk-files.ts';
import { lent } from './work-folder.ts';
import type { WorkFolder } from './work-folder.ts';

export interface LocalCopies {
  /** Lends a copy of the bytes that `version` names; `fetch` writes it to a path where there is none yet. */
  lend(wanted: WantedCopy): Promise<LocalFile>;
  /**
   * Removes those that nobody has used for an hour, and of the others those that were not used for the longest, until the
   * rest fits; what is lent stays, and does not count.
   */
  evict(): Promise<void>;
  /** Removes the copies of blobs that are gone; what is lent stays until it is given back. Never rejects. */
  drop(keys: readonly string[]): Promise<void>;
}

export interface WantedCopy {
  readonly key: string;
  /** Other bytes under the same key have another one. */
  readonly version: string;
  readonly bytes: number;
  /** Ends the waiting for whoever else fetches it; `fetch` sees to itself. */
  readonly signal?: AbortSignal | undefined;
  readonly fetch: (path: string) => Promise<void>;
}

export interface LocalCopiesOptions {
  /** Made if it is not there; on the same file system as the work folder. */
  readonly folder: string;
  readonly work: Pick<WorkFolder, 'unfinished' | 'free'>;
  readonly maxBytes: number;
  readonly now?: () => number;
}

interface Copy {
  readonly path: string;
  readonly bytes: number;
  /** Milliseconds since 1970. */
  readonly usedAt: number;
}

/** Of keys, folders with a file for each version. */
const ENTRY = /^[0-9a-f]{64}$/;
/** A lock shows signs of life each few seconds. */
const LOCK_DEAD_MS = 600_000;
/** Sources of jobs are not used again when these have ended. */
const UNUSED_MS = 3_600_000;
/** Looking at all copies for each new one would take longer than fetching it. */
const SWEEP_SHARE = 0.1;

export async function openLocalCopies(options: LocalCopiesOptions): Promise<LocalCopies> {
  const { folder, work, maxBytes, now = Date.now } = options;
  await mkdir(folder, { recursive: true });
  /** Bytes since the last sweep. So that the first copy of a process starts one. */
  let fetched = Number.POSITIVE_INFINITY;
  /** What is being fetched here: bytes that each file will have, by its path. */
  const underWay = new Map<string, number>();
  let admitted: Promise<unknown> = Promise.resolve();

  const folderOf = (key: string): string => join(folder, hash('sha256', key));

  async function copies(): Promise<Copy[]> {
    const found: Copy[] = [];
    for await (const { name } of await opendir(folder)) {
      const path = join(folder, name);
      if (!ENTRY.test(name)) {
        // A lock whose owner died, of a copy that nobody wants any more.
        const facts = await stat(path).catch(() => undefined);
        if (facts !== undefined && Date.now() - facts.mtimeMs > LOCK_DEAD_MS) await rm(path, { force: true });
        continue;
      }
      const versions = await Array.fromAsync(await opendir(path)).catch(() => []); // dropped meanwhile
      for (const version of versions) {
        const copy = join(path, version.name);
        const facts = await stat(copy).catch(() => undefined);
        // A second name is that of somebody who reads it: removing this one would free nothing.
        if (facts?.nlink === 1) found.push({ path: copy, bytes: facts.size, usedAt: facts.mtimeMs });
      }
      // Fails where there is something in it, which is as it should be.
      if (versions.length === 0) await rmdir(path).catch(() => undefined);
    }
    return found;
  }

  async function evictTo(most: number): Promise<void> {
    const unused = await copies();
    let total = unused.reduce((sum, { bytes }) => sum + bytes, 0);
    for (const { path, bytes, usedAt } of unused.toSorted((a, b) => a.usedAt - b.usedAt)) {
      if (total <= most && now() - usedAt < UNUSED_MS) break;
      await rm(path, { force: true });
      total -= bytes;
    }
  }

  /** A second name for the copy, which outlives its eviction. Undefined if there is no whole copy. */
  async function lendOwn(path: string, { key, bytes }: WantedCopy): Promise<LocalFile | undefined> {
    const own = await work.unfinished(extname(key));
    const touch = async (): Promise<void> => {
      const at = new Date(now());
      await utimes(path, at, at).catch(() => undefined); // evicted, and still lent
    };
    try {
      // A file system without hard links takes the bytes twice.
      await link(path, own).catch((error: unknown) =>
        isMissing(error) ? Promise.reject(error) : copyFile(path, own),
      );
      const { size } = await stat(own);
      if (size === bytes) {
        await touch();
        return lent(own, async () => {
          await touch();
          await rm(own, { force: true });
        });
      }
      await rm(path, { force: true });
    } catch (error) {
      if (!isMissing(error)) throw asProblem(error);
    }
    await rm(own, { force: true });
    return undefined;
  }

  /** What the disk can still take beside what is being fetched here. */
  async function room(): Promise<number> {
    let missing = 0;
    for (const [path, bytes] of underWay) {
      const there = await stat(path).catch(() => undefined); // not begun
      missing += Math.max(0, bytes - (there?.size ?? 0));
    }
    return (await work.free()) - missing;
  }

  async function reserve(path: string, bytes: number): Promise<void> {
    if ((await room()) < bytes) await evictTo(0);
    if ((await room()) < bytes)
      throw new Problem('storage_full', 'This machine has no room for a copy of the file to work on.');
    underWay.set(path, bytes);
  }

  async function make(path: string, { key, bytes, fetch }: WantedCopy): Promise<void> {
    const unfinished = await work.unfinished();
    // One after the other: else two would take the same room.
    const reserved = admitted.then(() => reserve(unfinished, bytes));
    admitted = reserved.catch(() => undefined);
    await reserved;
    try {
      await fetch(unfinished);
      const { size } = await stat(unfinished);
      if (size !== bytes) throw new Error(`the copy of ${key} has ${size} bytes instead of ${bytes}`);
      // After a power cut it would be taken for whole.
      await syncFile(unfinished);
      await publish(unfinished, path);
      fetched += bytes;
    } catch (error) {
      await rm(unfinished, { force: true });
      throw asProblem(error);
    } finally {
      underWay.delete(unfinished);
    }
  }

  /** Below the bound nobody looks at all of them. */
  async function sweepIfMany(): Promise<void> {
    if (fetched <= maxBytes * SWEEP_SHARE) return;
    fetched = 0;
    // The copy is there all the same; the store's next tidying tells of it.
    await evictTo(maxBytes).catch(() => undefined);
  }

  async function lend(path: string, wanted: WantedCopy): Promise<LocalFile> {
    const lockPath = `${dirname(path)}-${hash('sha256', wanted.version)}.lock`;
    for (;;) {
      wanted.signal?.throwIfAborted();
      const found = await lendOwn(path, wanted);
      if (found !== undefined) return found;
      const lock = await takeLock(lockPath);
      // Another process, or this one, is fetching it. Should it fail, each tries for itself.
      if (lock === undefined) {
        await lockFree(lockPath, { signal: wanted.signal });
        continue;
      }
      try {
        const made = (await lendOwn(path, wanted)) ?? (await make(path, wanted), await lendOwn(path, wanted));
        if (made !== undefined) return made;
      } finally {
        await lock.release();
      }
    }
  }

  return {
    async lend(wanted) {
      const file = await lend(join(folderOf(wanted.key), hash('sha256', wanted.version)), wanted);
      await sweepIfMany();
      return file;
    },

    evict: () => evictTo(maxBytes),

    async drop(keys) {
      // What cannot be removed now goes with those that are not used.
      for (const key of keys)
        await rm(folderOf(key), { recursive: true, force: true }).catch(() => undefined);
    },
  };
}

/** The folder may go with its last copy in this very moment. */
async function publish(unfinished: string, path: string): Promise<void> {
  for (let tries = 3; ; tries--) {
    await mkdir(dirname(path), { recursive: true });
    try {
      return await rename(unfinished, path);
    } catch (error) {
      if (!isMissing(error) || tries === 0) throw error;
    }
  }
}
