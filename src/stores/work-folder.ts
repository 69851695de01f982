// Where a process keeps what is not finished: a folder of its own, which the others remove when it is dead.

import { randomUUID } from 'node:crypto';
import { mkdir, opendir, rm, stat, statfs, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { BlobStore, LocalFile } from '../contracts.ts';
import { safeName } from './disk-files.ts';

/** How often an owner's folder of unfinished files says that its owner lives, and when it counts as dead. */
const SIGN_OF_LIFE_MS = 10_000;
const DEAD_AFTER_MS = 120_000;
/** Room kept free for the database and for what is already under way. */
const RESERVE_BYTES = 64 * 1024 * 1024;

export interface WorkFolder extends Pick<BlobStore, 'scratch' | 'tidy' | 'close'> {
  /** A path that nobody has, in a folder that is there. */
  readonly unfinished: (extension?: string) => Promise<string>;
  /** Bytes that this disk can still take. */
  readonly free: () => Promise<number>;
}

/** Opens `{root}/work/{owner}/`; the owner is unique per process life. */
export async function openWorkFolder(root: string, owner: string): Promise<WorkFolder> {
  const work = join(root, 'work');
  const own = join(work, safeName(owner));
  await mkdir(own, { recursive: true });
  const alive = setInterval(() => {
    const now = new Date();
    // Gone if this process was paused so long that another one took it for dead.
    utimes(own, now, now)
      .catch(() => mkdir(own, { recursive: true }))
      .catch(() => undefined); // a missing sign of life is noticed where it matters
  }, SIGN_OF_LIFE_MS);

  return {
    async unfinished(extension = '') {
      await mkdir(own, { recursive: true });
      return join(own, `${randomUUID()}${extension}`);
    },

    async free() {
      const { bavail, bsize } = await statfs(root);
      return Math.max(0, bavail * bsize - RESERVE_BYTES);
    },

    async scratch(name) {
      const path = join(own, `${safeName(name)}-${randomUUID()}`);
      await mkdir(path, { recursive: true });
      return lent(path, () => rm(path, { recursive: true, force: true, maxRetries: 3 }));
    },

    async tidy(dead) {
      if (dead !== undefined) {
        await rm(join(work, safeName(dead)), { recursive: true, force: true });
        return;
      }
      for await (const folder of await opendir(work)) {
        const path = join(work, folder.name);
        const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
        if (path !== own && Date.now() - mtimeMs > DEAD_AFTER_MS)
          await rm(path, { recursive: true, force: true });
      }
    },

    async close() {
      clearInterval(alive);
      await rm(own, { recursive: true, force: true });
    },
  };
}

export function lent(path: string, dispose: () => Promise<void>): LocalFile {
  return { path, [Symbol.asyncDispose]: dispose };
}
