// A lock between processes: a file that only one can make, with a sign of life; a dead owner's is taken over.

import { randomUUID } from 'node:crypto';
import { link, open, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

export interface CacheLock {
  /** Lets others in. */
  release(): Promise<void>;
}

export interface LockOptions {
  /** Milliseconds between two signs of life, and without one after which the owner counts as dead. */
  readonly beatMs?: number;
  readonly deadMs?: number;
}

interface Owner {
  readonly host: string;
  readonly pid: number;
  /** Unlike an inode, which is used again. */
  readonly lock: string;
}

/** Undefined while a living owner has it. Rejects with the file system's error, such as ENOENT for a missing folder. */
export async function takeLock(path: string, options: LockOptions = {}): Promise<CacheLock | undefined> {
  const { beatMs = 2000 } = options;
  // Twice: the second time after a dead owner's was put out of the way.
  for (let tries = 0; tries < 2; tries++) {
    try {
      await using file = await open(path, 'wx');
      const owner = { host: hostname(), pid: process.pid, lock: randomUUID() } satisfies Owner;
      await file.writeFile(JSON.stringify(owner));
      const beat = setInterval(() => {
        const now = new Date();
        utimes(path, now, now).catch(() => undefined); // purged, with everything around it
      }, beatMs);
      return {
        async release() {
          clearInterval(beat);
          // After a purge another's may stand here.
          if ((await ownerOf(path))?.lock === owner.lock) await rm(path, { force: true });
        },
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    if (!(await isDead(path, options))) return undefined;
    await putAway(path, options);
  }
  return undefined;
}

/** Resolves when the lock is free, or its owner dead. */
export async function lockFree(path: string, options: LockOptions = {}): Promise<void> {
  for (let waitMs = 10; ; waitMs = Math.min(100, waitMs * 1.5)) {
    if (!(await exists(path)) || (await isDead(path, options))) return;
    await sleep(waitMs);
  }
}

async function isDead(path: string, { deadMs = 10_000 }: LockOptions): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return false;
  if (Date.now() - found.mtimeMs > deadMs) return true;
  const owner = await ownerOf(path);
  // The number means something on the same machine only (and in the same container, which has its own host name).
  return owner?.host === hostname() && !isAlive(owner.pid);
}

/** Of several that see the same dead owner one succeeds; and who comes late must not take the new owner's away. */
async function putAway(path: string, options: LockOptions): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
    if (!(await isDead(aside, options))) await link(aside, path).catch(() => undefined);
    await rm(aside, { force: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** Undefined if the file is gone, or not written yet. */
async function ownerOf(path: string): Promise<Owner | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Owner;
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
