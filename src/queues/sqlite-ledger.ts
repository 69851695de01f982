// What happens to jobs in the embedded queue: read, advance, write. Each method runs inside one transaction of the writer.

import type { KeptJob } from '../contracts.ts';
import { advance, isFinished, newJob } from '../jobs/job.ts';
import type { Job, JobAction, JobPolicy, Lane, NewJob, ProgressUpdate } from '../jobs/job.ts';
import { Problem } from '../problems.ts';
import { eventsOf, pauseAfter } from './changes.ts';
import type { Claim, Standing } from './ledger.ts';
import type { SqliteEvents } from './sqlite-events.ts';
import type { Lease, SqliteRows } from './sqlite-rows.ts';

/** One running attempt. The token is the fence: a job that was taken over has another one. */
export interface SqliteClaim extends Lease, Claim {}

interface LedgerOptions {
  /** Unique to the process. */
  readonly owner: string;
  readonly policy: JobPolicy;
  readonly leaseSeconds: number;
  readonly maxWaiting: number;
  readonly now: () => number;
}

export class SqliteLedger {
  readonly #rows: SqliteRows;
  readonly #events: SqliteEvents;
  readonly #options: LedgerOptions;

  constructor(rows: SqliteRows, events: SqliteEvents, options: LedgerOptions) {
    this.#rows = rows;
    this.#events = events;
    this.#options = options;
  }

  /** The stored job of a known key; throws `overloaded` if no further one may wait. Undefined: it may be added. */
  admit({ idempotencyKey }: NewJob): Job | undefined {
    const known = idempotencyKey === undefined ? undefined : this.#rows.byKey(idempotencyKey);
    if (known !== undefined) return known;
    const { maxWaiting } = this.#options;
    if (this.#rows.count('queued') < maxWaiting) return undefined;
    throw new Problem(
      'overloaded',
      `${maxWaiting} jobs are waiting, more than that are not accepted. Nothing was kept; send it again when some are done.`,
      { retryAfter: 5 },
    );
  }

  add(asked: NewJob): { readonly job: Job; readonly added: boolean } {
    const known = this.admit(asked);
    if (known !== undefined) return { job: known, added: false };
    const now = this.#options.now();
    const job = newJob(asked, now);
    this.#rows.insert(job, asked.idempotencyKey);
    this.#events.append(job, 'queued', now);
    return { job, added: true };
  }

  /**
   * Takes a job over as it was elsewhere: unchanged, but for one that ran. Nobody works on that here, so it waits, or ends
   * if it was to be cancelled. Undefined if one of that id or key is there.
   */
  restore({ job, idempotencyKey, owed }: KeptJob): Job | undefined {
    const isKnown =
      this.#rows.read(job.id) !== undefined ||
      (idempotencyKey !== null && this.#rows.byKey(idempotencyKey) !== undefined);
    if (isKnown) return undefined;
    const now = this.#options.now();
    const restored = advance(job, { type: 'hand_back' }, now, this.#options.policy);
    this.#rows.insert(restored, idempotencyKey ?? undefined);
    if (restored.expiresAt !== null) this.#rows.expire(restored);
    if (owed) this.#rows.noteEarlierEnding(job.id, job.finishedAt ?? now);
    if (isFinished(job)) return restored;
    const type = restored.status === 'queued' ? 'queued' : 'cancelled';
    const sequence = this.#events.append(restored, type, now);
    if (isFinished(restored)) this.#rows.noteEnding(sequence, job.id, now);
    return restored;
  }

  cancel(id: string): { readonly before: Job; readonly after: Job } | undefined {
    const before = this.#rows.read(id);
    return before && { before, after: this.#advance(before, { type: 'cancel' }) };
  }

  /** `over`: nobody works on it any more, so it ended here and now. */
  remove(id: string): { readonly before: Job; readonly after: Job; readonly over: boolean } | undefined {
    const before = this.#rows.read(id);
    if (before === undefined) return undefined;
    const { policy, now } = this.#options;
    const after = advance(before, { type: 'cancel' }, now(), policy);
    const over = before.status === 'queued' || this.#rows.isExpired(id, now());
    this.#rows.delete(id);
    this.#events.append(before, 'removed', now());
    return { before, after, over };
  }

  /** Whether `claim` would find something to do: a look without the write lock. */
  hasWork(lane: Lane, concurrency: number): boolean {
    const now = this.#options.now();
    if (this.#rows.expiredLeases(lane, now).length > 0) return true;
    return this.#rows.live(lane, now) < concurrency && this.#rows.next(lane, now) !== undefined;
  }

  /** Takes over what dead owners left (`interrupted`), then the next job if the lane has a free place. */
  claim(
    lane: Lane,
    concurrency: number,
  ): { readonly claim: SqliteClaim | undefined; readonly interrupted: readonly Job[] } {
    const now = this.#options.now();
    const interrupted = this.#interrupt(this.#rows.expiredLeases(lane, now));
    const next = this.#rows.live(lane, now) < concurrency ? this.#rows.next(lane, now) : undefined;
    if (next === undefined) return { claim: undefined, interrupted };
    const { policy, owner } = this.#options;
    const job = advance(next, { type: 'start' }, now, policy);
    // The sequence of the event is unique and grows for ever, as a fence must.
    const token = this.#write(next, job, now, 0);
    this.#rows.grant(job, token, owner, this.#leaseEnd());
    return { claim: { jobId: job.id, token, job }, interrupted };
  }

  /** Returns the leases that are lost. */
  extend<T extends Lease>(leases: readonly T[]): T[] {
    const until = this.#leaseEnd();
    return leases.filter((lease) => !this.#rows.extend(lease, until));
  }

  /** What the owner of an attempt has to know. */
  standing(lease: Lease): Standing {
    if (!this.#rows.holds(lease)) return 'lost';
    return this.#rows.read(lease.jobId)?.cancelRequested === true ? 'cancelled' : 'held';
  }

  isGone(id: string): boolean {
    return this.#rows.read(id) === undefined;
  }

  /** False if the lease is lost: nothing was written. */
  progress(lease: Lease, update: ProgressUpdate): boolean {
    const job = this.#rows.holds(lease) ? this.#rows.read(lease.jobId) : undefined;
    if (job === undefined) return false;
    this.#advance(job, { type: 'progress', update });
    return true;
  }

  /** Ends an attempt; `unwritten` is the progress not written yet. Undefined if the lease is lost: nothing was written. */
  finish(lease: Lease, action: JobAction, unwritten?: ProgressUpdate): Job | undefined {
    const job = this.#rows.holds(lease) ? this.#rows.read(lease.jobId) : undefined;
    if (job === undefined) return undefined;
    const told =
      unwritten === undefined
        ? job
        : advance(job, { type: 'progress', update: unwritten }, this.#options.now(), this.#options.policy);
    return this.#advance(told, action, job);
  }

  /** Takes the running jobs of a dead owner from it. */
  abandon(owner: string): Job[] {
    return this.#interrupt(this.#rows.leasesOf(owner));
  }

  #interrupt(leases: readonly Lease[]): Job[] {
    return leases.flatMap(({ jobId }) => {
      const job = this.#rows.read(jobId);
      return job === undefined ? [] : [this.#advance(job, { type: 'interrupt' })];
    });
  }

  /** Writes what an action makes of a job, if it makes anything of it. `stored` is how it was read. */
  #advance(before: Job, action: JobAction, stored = before): Job {
    const { now, policy } = this.#options;
    const at = now();
    const after = advance(before, action, at, policy);
    if (after === before) return before;
    const pause = pauseAfter(action, before, after);
    this.#write(stored, after, at, pause === 0 ? 0 : at + pause);
    if (before.status === 'running' && after.status !== 'running') this.#rows.release(after.id);
    return after;
  }

  #write(before: Job, after: Job, at: number, notBefore: number): number {
    this.#rows.update(before, after, notBefore);
    let sequence = 0;
    for (const { type, output } of eventsOf(before, after))
      sequence = this.#events.append(after, type, at, output);
    if (isFinished(after)) this.#rows.noteEnding(sequence, after.id, at);
    return sequence;
  }

  #leaseEnd(): number {
    return this.#options.now() + this.#options.leaseSeconds * 1000;
  }
}
