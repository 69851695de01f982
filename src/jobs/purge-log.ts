// What was purged from the caches of renditions, written down so that every machine of a fleet learns of it, also one that was away.

import { randomBytes } from 'node:crypto';
import type { HintBus, RecordKind, Records } from '../contracts.ts';
import { isMark } from '../lib/cache-key.ts';

export interface Purge {
  /** Unique, and ordered by time. */
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The mark of the source, as of lib/cache-key.ts. */
  readonly source: string;
}

export interface PurgeLog {
  /** Durable when it resolves. The other machines are told; those that do not hear it look for themselves. */
  add(source: string): Promise<void>;
  /**
   * What was added from a little before `since` (milliseconds since 1970) on, oldest first, so some are told twice; and
   * when that was. Of more than `MOST_PURGES` only the newest.
   */
  read(since: number): Promise<PurgesRead>;
}

export interface PurgesRead {
  readonly purges: readonly Purge[];
  readonly at: number;
  /** False where there were too many to tell. */
  readonly isAll: boolean;
}

export interface PurgeLogOptions {
  readonly records: Pick<Records, 'put' | 'list'>;
  readonly hints: Pick<HintBus, 'publish'>;
  /** Milliseconds since 1970, the same for all machines. */
  readonly time: () => Promise<number>;
}

/** So long, in milliseconds, a purge is kept. A machine that was away for longer must forget all. */
export const PURGES_KEPT_MS = 86_400_000;
/** Whoever has missed more forgets all sooner than it has read them. */
export const MOST_PURGES = 10_000;
/** A purge has its time before it is written, and calls to a backend take some seconds at most. */
const OVERLAP_MS = 30_000;
const BATCH = 200;

const PURGES: RecordKind<{ readonly source: string }> = { name: 'purge' };

export function createPurgeLog({ records, hints, time }: PurgeLogOptions): PurgeLog {
  return {
    async add(source) {
      const at = await time();
      const id = `${idAt(at)}-${randomBytes(6).toString('hex')}`;
      await records.put(PURGES, id, { source }, { group: 'all', expiresAt: at + 2 * PURGES_KEPT_MS }, 0);
      hints.publish({ topic: 'purge', source });
    },
    async read(since) {
      const at = await time();
      const from = idAt(Math.max(0, since - OVERLAP_MS));
      const purges: Purge[] = [];
      for (let after: string | undefined; ; ) {
        const page = await records.list(PURGES, { limit: BATCH, ...(after !== undefined && { after }) });
        const news = page.items.filter(({ id }) => id >= from);
        for (const { id, value } of news) {
          // What another made up must not name a folder elsewhere.
          if (isMark(value.source)) purges.push({ id, at: Number.parseInt(id, 10), source: value.source });
        }
        const isLast = news.length < page.items.length || page.next === null;
        if (isLast || purges.length >= MOST_PURGES) return { purges: purges.toReversed(), at, isAll: isLast };
        after = page.next ?? undefined;
      }
    },
  };
}

/** Of a fixed length, so that text is ordered as time is. */
function idAt(at: number): string {
  return String(at).padStart(15, '0');
}
