// While Redis is away: keys hold as they were known last, and nobody is counted, so that images go on being made.

import type { Meters, Records, Taken } from '../contracts.ts';
import { RecentMap } from '../lib/recent-map.ts';
import { isAway, Problem } from '../problems.ts';

/** So long, in milliseconds, what was read last is believed; nobody can revoke a key meanwhile either. */
export const RECALLED_MS = 900_000;
const MOST_RECALLED = 20_000;

export interface AwayOptions {
  /** Whether Redis answered when it was asked last. */
  readonly isReachable: () => boolean;
  /** Milliseconds on a clock that never jumps. */
  readonly clock?: () => number;
}

/** Reads as they were read last, where they cannot be read now: at once, and not after the time-out of a call. Writes fail as ever. */
export function recallingRecords(records: Records, options: AwayOptions): Records {
  const { clock = () => performance.now() } = options;
  const known = new RecentMap<string, { readonly at: number; readonly value: unknown }>(MOST_RECALLED);
  async function recall<T>(name: string, read: () => Promise<T>): Promise<T> {
    const last = known.get(name);
    // Only for what this very read has given before.
    const old =
      last !== undefined && clock() - last.at < RECALLED_MS ? { value: last.value as T } : undefined;
    return unlessAway(options, old, async () => {
      const value = await read();
      known.set(name, { at: clock(), value });
      return value;
    });
  }
  return {
    get: (kind, id) => recall(`${kind.name}/${id}`, () => records.get(kind, id)),
    list: (kind, filter) =>
      recall(`${kind.name}?${JSON.stringify(filter)}`, () => records.list(kind, filter)),
    put: (...what) => records.put(...what),
    delete: (...what) => records.delete(...what),
    due: (...what) => records.due(...what),
    prune: (...what) => records.prune(...what),
    dump: (...what) => records.dump(...what),
    restore: (kept) => records.restore(kept),
    now: () => records.now(),
    close: () => records.close(),
  };
}

/**
 * Lets everybody pass, where nobody can be counted: jobs are refused by their queue then, and images by the machine's own
 * bounds. What cannot be spent is told at once.
 */
export function lenientMeters(meters: Meters, options: AwayOptions): Meters {
  const or = <T>(otherwise: T, count: () => Promise<T>): Promise<T> =>
    unlessAway(options, { value: otherwise }, count);
  const free = (remaining: number): Taken => ({ allowed: true, remaining, resetMs: 0, retryMs: 0 });
  return {
    take: (bucket, limit, cost) => or(free(limit.burst), () => meters.take(bucket, limit, cost)),
    enter: (...what) => or(true, () => meters.enter(...what)),
    renew: (...what) => or(undefined, () => meters.renew(...what)),
    leave: (...what) => or(undefined, () => meters.leave(...what)),
    async spend(...what) {
      if (options.isReachable()) return meters.spend(...what);
      throw new Problem('backend_unavailable', 'Redis cannot be reached at the moment: nothing was counted.');
    },
    spent: (account) => or(0, () => meters.spent(account)),
    reserve: (...what) => or(true, () => meters.reserve(...what)),
    settle: (...what) => or(0, () => meters.settle(...what)),
    close: () => meters.close(),
  };
}

/** `otherwise` where Redis cannot be reached, at once where that is known; without one, the Problem that says so. */
async function unlessAway<T>(
  { isReachable }: AwayOptions,
  otherwise: { readonly value: T } | undefined,
  ask: () => Promise<T>,
): Promise<T> {
  if (!isReachable() && otherwise !== undefined) return otherwise.value;
  try {
    return await ask();
  } catch (error) {
    if (isAway(error) && otherwise !== undefined) return otherwise.value;
    throw error;
  }
}
