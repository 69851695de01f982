// What the runner asks of a queue's bookkeeping: who works on what, and what became of it. Each queue has its own.

import type { Job, JobAction, Lane, ProgressUpdate } from '../jobs/job.ts';

/** One running attempt, which this process holds. */
export interface Claim {
  /** As it was when it was taken. */
  readonly job: Job;
}

/** What the owner of an attempt has to know. */
export type Standing = 'held' | 'cancelled' | 'lost';

export interface Taken<C extends Claim> {
  readonly claim: C | undefined;
  /** What dead owners left, and was found on the way: it waits again, or has ended. */
  readonly interrupted: readonly Job[];
}

export interface Taking {
  /** Aborts when nothing is to be taken any more. */
  readonly signal: AbortSignal;
  /** Shows that this process is alive: its leases are renewed. */
  readonly beat: () => Promise<void>;
}

export interface Ledger<C extends Claim> {
  /**
   * The next job of a lane, if the lane has a free place. Undefined: not now, it is asked again when it is poked (a
   * queue that can wait for jobs may wait as long as the signal lets it).
   */
  take(lane: Lane, concurrency: number, taking: Taking): Promise<Taken<C> | undefined>;
  /** Renews the leases of what this process holds; how each stands, in that order. */
  renew(claims: readonly C[]): Promise<readonly Standing[]>;
  standing(claim: C): Promise<Standing>;
  /** False if the lease is lost: nothing was written. */
  progress(claim: C, update: ProgressUpdate): Promise<boolean>;
  /** Ends an attempt; `unwritten` is the progress not written yet. Undefined if the lease is lost: nothing was written. */
  finish(claim: C, action: JobAction, unwritten: ProgressUpdate | undefined): Promise<Job | undefined>;
  /** This process has nothing to do with the attempt any more, however it ended. */
  leave(claim: C): void;
  isGone(id: string): Promise<boolean>;
}
