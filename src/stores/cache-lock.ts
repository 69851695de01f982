// A lock between processes: a file that only one can make, with a sign of life; a dead owner's is taken over.

import { randomUUID } from 'node:crypto';
import { open, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { pause } from '../lib/pause.ts';

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
  const owner: Owner = { host: hostname(), pid: process.pid, lock: randomUUID() };
  try {
    await using file = await open(path, 'wx');
    await file.writeFile(JSON.stringify(owner));
    return held(path, owner, options);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return (await takeOver(path, owner, options)) ? held(path, owner, options) : undefined;
}

function held(path: string, owner: Owner, { beatMs = 2000 }: LockOptions): CacheLock {
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
}

/** Resolves when the lock is free, or its owner dead. Rejects with the signal's reason. */
export async function lockFree(
  path: string,
  options: LockOptions & { readonly signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const { signal } = options;
  for (let waitMs = 10; ; waitMs = Math.min(100, waitMs * 1.5)) {
    if (!(await exists(path)) || (await isDead(path, options))) return;
    await pause(waitMs, signal);
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

/**
 * Puts `owner` in the place of a dead one. Of several that see the same dead owner only the one goes on that has the lock
 * which is named for it; whoever comes later finds another owner. The file is replaced and never gone in between, so nobody
 * can slip in. The lock on taking over is one of the same kind: should its owner die too, it is taken over.
 */
async function takeOver(path: string, owner: Owner, options: LockOptions): Promise<boolean> {
  if (!(await isDead(path, options))) return false;
  const dead = (await ownerOf(path))?.lock;
  const turn = await takeLock(`${path}.${dead ?? 'unknown'}`, options);
  if (turn === undefined) return false;
  const own = `${path}.${owner.lock}`;
  try {
    if ((await ownerOf(path))?.lock !== dead || !(await isDead(path, options))) return false;
    await writeFile(own, JSON.stringify(owner), { flag: 'wx' });
    await rename(own, path);
    return true;
  } finally {
    await rm(own, { force: true });
    await turn.release();
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
