// The cache of one machine among several: purges of the others are applied, also those that it has missed.

import { randomUUID } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { HintBus } from '../contracts.ts';
import type { ImageCache } from '../jobs/image-cache.ts';
import { isMark } from '../lib/cache-key.ts';
import { nowAndThen } from '../lib/now-and-then.ts';
import { PURGES_KEPT_MS } from '../jobs/purge-log.ts';
import type { PurgeLog } from '../jobs/purge-log.ts';

export interface FleetCacheOptions {
  readonly cache: ImageCache;
  /** The cache's own folder, where it is noted what was applied to it. */
  readonly root: string;
  /** Forgets everything. */
  readonly clear: () => Promise<void>;
  readonly purges: PurgeLog;
  readonly hints: Pick<HintBus, 'subscribe'>;
  readonly onError: (error: unknown) => void;
  /** Milliseconds between two looks into the log of purges; each waits between half and the whole of it. */
  readonly everyMs?: number;
}

/** How often it is noted what was applied, in milliseconds: what was applied since is applied again after a restart. */
const NOTED_EVERY_MS = 60_000;
/** And after so many, where there are many at once. */
const NOTED_EACH = 500;

/**
 * Applies what this machine has missed, then goes on applying until closed. Hints make it quick; the log makes it sure:
 * it is read every few seconds, by each process for its own memory. Purging twice is harmless.
 */
export async function openFleetCache(options: FleetCacheOptions): Promise<ImageCache> {
  const { cache, clear, purges, hints, onError, everyMs = 5000 } = options;
  const path = join(options.root, 'purged-until');
  let position = await readPosition(path);
  let notedAt = 0;
  /** Those within the overlap of two looks. */
  let applied = new Set<string>();

  /** A disk that is full holds up nobody: what was applied is applied again after a restart. */
  async function write(at: number): Promise<void> {
    notedAt = at;
    const part = `${path}.${randomUUID()}`;
    try {
      await writeFile(part, String(at));
      await rename(part, path);
    } catch (error) {
      await rm(part, { force: true }).catch(() => undefined);
      onError(error);
    }
  }

  async function look(): Promise<void> {
    const { purges: found, at, isAll } = await purges.read(position);
    if (!isAll || at - position > PURGES_KEPT_MS) {
      // The log does not reach back so far; of a cache that was never part of a fleet nothing is known either.
      await clear();
    } else {
      const news = found.filter(({ id }) => !applied.has(id));
      for (const [index, purge] of news.entries()) {
        await cache.purge(purge.source);
        if (index % NOTED_EACH === NOTED_EACH - 1) await write((position = purge.at));
      }
    }
    applied = new Set(found.map(({ id }) => id));
    position = at;
    if (at - notedAt >= NOTED_EVERY_MS) await write(at);
  }

  await look();
  /** Said once for each time that the log cannot be read, not at every look. */
  let isLost = false;
  const looks = nowAndThen(everyMs, () =>
    look().then(
      () => void (isLost = false),
      (error: unknown) => {
        if (!isLost) onError(error);
        isLost = true;
      },
    ),
  );
  const unsubscribe = hints.subscribe((hint) => {
    if (hint.topic === 'purge' && isMark(hint.source)) cache.purge(hint.source).catch(onError);
  });

  return {
    find: (key) => cache.find(key),
    read: (key) => cache.read(key),
    make: (key, work) => cache.make(key, work),
    async purge(source) {
      // Here first: it must not be shown any more, also where the others cannot be told.
      await cache.purge(source);
      await purges.add(source);
    },
    sweep: () => cache.sweep(),
    async close() {
      unsubscribe();
      await looks.close();
      await cache.close();
    },
  };
}

/** Milliseconds since 1970; 0 where it is not known. */
async function readPosition(path: string): Promise<number> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return /^\d{1,15}$/.test(text) ? Number(text) : 0;
}
