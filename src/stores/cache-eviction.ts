// Keeps the rendition cache within its bound: what was not asked for the longest goes first.

import { opendir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

export interface EvictionOptions {
  /** Folders of sources, with the files of their renditions. */
  readonly folder: string;
  /** Above it entries go, down to nine tenths of it. */
  readonly maxBytes: number;
  /** Unfinished files and locks that nobody touched for so long, in milliseconds, belong to nobody. */
  readonly strayAfterMs: number;
  readonly now: number;
}

interface Candidate {
  readonly path: string;
  readonly bytes: number;
  /** Milliseconds since 1970. */
  readonly usedAt: number;
}

/** Names of entries: everything else beside them is unfinished, or a lock. */
const ENTRY = /^[0-9a-f]{32}$/;
const LOW_WATER = 0.9;

/** The bytes that are left. Safe in several processes at once: removing twice is harmless. */
export async function evict({ folder, maxBytes, strayAfterMs, now }: EvictionOptions): Promise<number> {
  const entries: Candidate[] = [];
  for (const source of await namesIn(folder)) {
    const names = await namesIn(join(folder, source));
    for (const name of names) {
      const path = join(folder, source, name);
      const found = await stat(path).catch(() => undefined);
      if (found === undefined) continue;
      if (ENTRY.test(name)) entries.push({ path, bytes: found.size, usedAt: found.atimeMs });
      else if (now - found.mtimeMs > strayAfterMs) await rm(path, { force: true });
    }
    // Fails where there is still something in it, which is as it should be.
    if (names.length === 0) await rmdir(join(folder, source)).catch(() => undefined);
  }
  let total = entries.reduce((sum, { bytes }) => sum + bytes, 0);
  if (total <= maxBytes) return total;
  for (const { path, bytes } of entries.toSorted((a, b) => a.usedAt - b.usedAt)) {
    if (total <= maxBytes * LOW_WATER) break;
    await rm(path, { force: true });
    total -= bytes;
  }
  return total;
}

/** Removes a folder with all in it. What is being written into it cannot be finished there any more. */
export async function removeFolder(path: string, aside: string): Promise<void> {
  try {
    // In one step: removing file by file would leave room for new ones between them.
    await rename(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  await rm(aside, { recursive: true, force: true, maxRetries: 3 });
}

async function namesIn(path: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const { name } of await opendir(path)) names.push(name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return names;
}
