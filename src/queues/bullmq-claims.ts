// The bookkeeping of the queue on BullMQ as the runner asks for it: a place of the machine, a ticket, and the job in the ledger.

import { rest } from '../lib/pause.ts';
import { isFinished } from '../jobs/job.ts';
import type { Job, JobAction, Lane, ProgressUpdate } from '../jobs/job.ts';
import { Problem } from '../problems.ts';
import type { OwedTickets } from './bullmq-owed.ts';
import type { MachineSlots, Slot } from './bullmq-slots.ts';
import type { Ticket, Tickets } from './bullmq-tickets.ts';
import type { Claim, Ledger, Standing, Taken, Taking } from './ledger.ts';
import type { Change, RedisLedger, Unchanged } from './redis-ledger.ts';

export interface BullClaim extends Claim {
  readonly ticket: Ticket;
  readonly slot: Slot;
  /** As it was written last. */
  current: Job;
  /** Ends that were written without an answer; progress is none, or it would be taken for the end. */
  readonly tried: string[];
}

interface ClaimsOptions {
  readonly ledger: RedisLedger;
  readonly tickets: Tickets;
  readonly slots: MachineSlots;
  readonly owed: OwedTickets;
  readonly owner: string;
  readonly leaseSeconds: number;
  readonly now: () => number;
  /** Somebody else may have thought that it has this job. */
  readonly onTaken: (job: Job) => void;
  /** A place of the lane has come free on this machine. */
  readonly onFree: (lane: Lane) => void;
}

/** Milliseconds between two tries to find out whose a job is, of which a ticket is held. */
const RETRY = 500;

export class BullClaims implements Ledger<BullClaim> {
  readonly #options: ClaimsOptions;
  #tokens = 0;

  constructor(options: ClaimsOptions) {
    this.#options = options;
  }

  async take(lane: Lane, concurrency: number, { signal }: Taking): Promise<Taken<BullClaim> | undefined> {
    const { slots, tickets } = this.#options;
    const slot = await slots.wait(lane, concurrency, signal);
    if (slot === undefined) return undefined;
    let isUsed = false;
    try {
      for (;;) {
        const ticket = await tickets.next(lane, () => this.#newToken(), signal);
        if (ticket === undefined) return undefined;
        const interrupted: Job[] = [];
        const job = await this.#startPatiently(ticket, interrupted, signal);
        isUsed = job !== undefined;
        if (job !== undefined) {
          return { claim: { job, ticket, slot, current: job, tried: [] }, interrupted };
        }
        if (interrupted.length > 0) return { claim: undefined, interrupted };
      }
    } finally {
      if (!isUsed) this.#free(slot);
    }
  }

  async renew(claims: readonly BullClaim[]): Promise<readonly Standing[]> {
    const lease = Math.ceil(this.#options.leaseSeconds * 1000);
    return this.#standings(claims, lease);
  }

  async standing(claim: BullClaim): Promise<Standing> {
    const [standing = 'held'] = await this.#standings([claim], 0);
    return standing;
  }

  async progress(claim: BullClaim, update: ProgressUpdate): Promise<boolean> {
    const change = await this.#change(claim, [{ type: 'progress', update }], {});
    return typeof change !== 'string';
  }

  async finish(
    claim: BullClaim,
    action: JobAction,
    unwritten: ProgressUpdate | undefined,
  ): Promise<Job | undefined> {
    const told = unwritten === undefined ? [] : [{ type: 'progress', update: unwritten } as const];
    const change = await this.#change(claim, [...told, action], { tried: claim.tried });
    await this.#putBack(claim.ticket, change);
    return typeof change === 'string' ? undefined : change.after;
  }

  leave({ slot, job }: BullClaim): void {
    this.#free(slot, job.lane);
  }

  async isGone(id: string): Promise<boolean> {
    return (await this.#options.ledger.read(id)) === undefined;
  }

  /** Takes the running jobs of a dead owner from it. */
  async abandon(owner: string): Promise<Job[]> {
    const { ledger, tickets } = this.#options;
    const taken: Job[] = [];
    for (const { job, token } of await ledger.heldBy(owner)) {
      const change = await ledger.change(job, { type: 'interrupt' }, { token });
      // Every process hears of a death; all but the first come too late.
      if (typeof change !== 'string' && change.after !== change.before) taken.push(change.after);
    }
    await tickets.releaseOf(owner);
    return taken;
  }

  #newToken(): string {
    return `${this.#options.owner} ${++this.#tokens}`;
  }

  #free(slot: Slot, lane?: Lane): void {
    void this.#options.slots.leave(slot).then(() => {
      if (lane !== undefined) this.#options.onFree(lane);
    });
  }

  async #standings(claims: readonly BullClaim[], lease: number): Promise<readonly Standing[]> {
    const args = claims.flatMap(({ job, ticket }) => [job.id, ticket.token, ticket.lane, ticket.id]);
    return (await this.#options.ledger.call('renew', lease, ...args)) as Standing[];
  }

  async #change(
    claim: BullClaim,
    actions: readonly JobAction[],
    more: { readonly tried?: string[] },
  ): Promise<Change | Unchanged> {
    const { ledger } = this.#options;
    const change = await ledger.change(claim.current, actions, { token: claim.ticket.token, ...more });
    if (typeof change !== 'string') claim.current = change.after;
    return change;
  }

  /** A ticket that is held means a job: it is not let go because Redis is away for a moment. */
  async #startPatiently(ticket: Ticket, interrupted: Job[], signal: AbortSignal): Promise<Job | undefined> {
    for (;;) {
      try {
        return await this.#start(ticket, interrupted);
      } catch (error) {
        if (!(error instanceof Problem) || signal.aborted) throw error;
      }
      await rest(RETRY, signal);
    }
  }

  /** The job of a ticket, begun; undefined where the ticket means nothing (any more), or not yet. */
  async #start(ticket: Ticket, interrupted: Job[]): Promise<Job | undefined> {
    const { ledger, tickets, owner, now, onTaken } = this.#options;
    const terms = { claim: ticket.token, lock: `bull:${ticket.lane}:${ticket.id}:lock`, owner };
    for (;;) {
      const found = await ledger.ticketed(ticket.jobId);
      if (found === undefined || isFinished(found.job) || !isOf(ticket, found)) {
        await tickets.complete(ticket);
        return undefined;
      }
      const { job, due, token } = found;
      // We have begun it already, and were not told.
      if (token === ticket.token) return job;
      if (job.status === 'running') {
        // Whoever had it did not renew its lock. Nobody else may think so: we have the lock now.
        const change = await ledger.change(job, { type: 'interrupt' }, { ...terms, token: token ?? '' });
        if (change === 'unlocked') return undefined;
        if (typeof change === 'string' || change.after === change.before) continue;
        interrupted.push(change.after);
        onTaken(change.after);
        continue;
      }
      if (due > now()) {
        await tickets.postpone(ticket, due - now());
        return undefined;
      }
      const change = await ledger.change(job, { type: 'start' }, terms);
      if (change === 'unlocked') return undefined;
      if (typeof change === 'string' || change.after.status !== 'running') continue;
      return change.after;
    }
  }

  /** Where a ticket goes when its attempt has ended. */
  async #putBack(ticket: Ticket, change: Change | Unchanged): Promise<void> {
    const { tickets, owed, now } = this.#options;
    if (change === 'gone') return tickets.complete(ticket);
    if (typeof change === 'string') return;
    if (isFinished(change.after)) return tickets.complete(ticket);
    const { before, after, hop, due } = change;
    if (after.lane !== before.lane) {
      if (hop > 0) await owed.pay(after, hop);
      return tickets.complete(ticket);
    }
    if (due > now()) return tickets.postpone(ticket, due - now());
    return tickets.giveBack(ticket);
  }
}

function isOf(ticket: Ticket, { job, hop }: { readonly job: Job; readonly hop: number }): boolean {
  return job.lane === ticket.lane && hop === ticket.hop;
}
