// What a tenant has used today: bytes sent or fetched for it, minutes of video worked on. Days are those of UTC.

import type { Meters } from '../contracts.ts';
import type { Job } from '../jobs/job.ts';
import { Problem } from '../problems.ts';

export type AccountKind = 'bytes' | 'minutes';

/** One account of one day. */
export interface Account {
  readonly name: string;
  /** When the next day begins, in milliseconds since 1970. */
  readonly endsAt: number;
  /** Until then it is kept, so that it can still be read the day after. */
  readonly keptUntil: number;
}

const DAY_MS = 86_400_000;

/** The account of the day that `now` (milliseconds since 1970) falls into. */
export function accountOf(kind: AccountKind, tenant: string, now: number): Account {
  const day = Math.floor(now / DAY_MS);
  const date = new Date(day * DAY_MS).toISOString().slice(0, 10);
  return {
    name: `${kind}:${tenant}:${date}`,
    endsAt: (day + 1) * DAY_MS,
    keptUntil: (day + 2) * DAY_MS,
  };
}

/** What is answered where an account cannot bear more: `what` says how much it bears. */
export function dayIsFull({ endsAt }: Account, what: string, now: number): Problem {
  return new Problem(
    'quota_exceeded',
    `${what}, and this would be more. The next day begins at ${new Date(endsAt).toISOString()}.`,
    { retryAfter: Math.max(1, (endsAt - now) / 1000) },
  );
}

export function bytesADay(tenant: string, most: number): string {
  return `The tenant ${tenant} may send, or have fetched, ${most} bytes a day`;
}

/**
 * The minutes that an ended job costs: as long as its source lasts, or its longest output where that is longer (`concat`
 * appends what is no part of the source), however many outputs it had; of a cancelled one the part that was done.
 * Nothing where the source never told how long it is: nothing was worked on.
 */
export function minutesOf({ status, source, progress, ready = {}, results }: Worked): number {
  const outputs = Object.values({ ...ready, ...results });
  // What was finished was all done; of the source of a cancelled job, only a part.
  const done = (source.durationSeconds ?? 0) * (status === 'cancelled' ? progress : 1);
  return Math.max(done, ...outputs.map(({ durationSeconds }) => durationSeconds ?? 0)) / 60;
}

type Worked = Pick<Job, 'status' | 'source' | 'progress' | 'ready' | 'results'>;

/** A job whose end is told again later than so, in milliseconds, has been stuck for a reason other than a crash. */
const CHARGED_KEPT_MS = 7 * DAY_MS;

/**
 * Puts the minutes of a job that has ended on its tenant's account: once, however often it is called and wherever it broke
 * off. Bytes are counted as they come.
 */
export function createCharge({
  meters,
  now,
}: {
  readonly meters: Pick<Meters, 'spend'>;
  /** Milliseconds since 1970, the same for all machines: days change at once. */
  readonly now: () => number;
}): (job: Job) => Promise<void> {
  return async (job) => {
    const minutes = minutesOf(job);
    if (minutes === 0) return;
    const time = now();
    const account = accountOf('minutes', job.tenant, time);
    const once = { name: `job:${job.id}`, until: time + CHARGED_KEPT_MS };
    await meters.spend(account.name, minutes, account.keptUntil, once);
  };
}
