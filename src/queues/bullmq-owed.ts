// Tickets that are owed: the ledger notes one in the commit that needs it, BullMQ is told afterwards, then the note goes.

import type { Job } from '../jobs/job.ts';
import { Problem } from '../problems.ts';
import type { Tickets } from './bullmq-tickets.ts';
import { within } from './chores.ts';
import type { OwedTicket, RedisLedger } from './redis-ledger.ts';
import type { QueueLog } from './runner.ts';

interface OwedOptions {
  readonly ledger: Pick<RedisLedger, 'owed' | 'settleTicket'>;
  readonly tickets: Pick<Tickets, 'add'>;
  readonly log: QueueLog;
  /** Between looks for what others owe; a note is as old before it is made up for. */
  readonly pollMilliseconds: number;
}

/** Tickets that are made up for at once. */
const AT_ONCE = 10;
/** Milliseconds that whoever closes waits for a look under way. What is not made up for by then is by others. */
const FAREWELL = 500;

/** The ledger and BullMQ cannot be written in one step: whoever dies in between leaves a note, which any process makes good. */
export class OwedTickets {
  readonly #options: OwedOptions;
  readonly #timer: NodeJS.Timeout;
  #paying: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: OwedOptions) {
    this.#options = options;
    const pause = options.pollMilliseconds * (0.75 + Math.random() / 2);
    this.#timer = setInterval(() => {
      this.#paying ??= this.#payForOthers().finally(() => (this.#paying = undefined));
    }, pause);
  }

  /** Adds the ticket of a job that has just been noted. What fails here is made up for. */
  async pay(job: Job, hop: number): Promise<void> {
    try {
      await this.#add({ job, hop });
    } catch (error) {
      this.#options.log.warn({ err: error, job: job.id }, 'a job is handed out later than it might be');
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#isClosed = true;
    if (this.#paying !== undefined) await within(this.#paying, FAREWELL);
  }

  async #add({ job, hop }: OwedTicket): Promise<void> {
    await this.#options.tickets.add(job, hop);
    // Nobody waits for it: a ticket that is added twice is there once.
    this.#options.ledger.settleTicket(job.id, hop).catch(() => undefined);
  }

  /** Until there are no more, or some failed. */
  async #payForOthers(): Promise<void> {
    const { ledger, log, pollMilliseconds } = this.#options;
    const failures: unknown[] = [];
    try {
      let isAll = false;
      while (!isAll && failures.length === 0 && !this.#isClosed) {
        const owed = await ledger.owed(pollMilliseconds);
        isAll = owed.isAll;
        await this.#addAll(owed.tickets, failures);
      }
    } catch (error) {
      failures.push(error);
    }
    // Once for all of them; each is tried again.
    if (failures.length > 0 && !this.#isClosed) {
      log.warn(
        { err: failures[0], failed: failures.length },
        'tickets that are owed could not be made up for',
      );
    }
  }

  async #addAll(tickets: readonly OwedTicket[], failures: unknown[]): Promise<void> {
    for (let at = 0; at < tickets.length && !this.#isClosed; at += AT_ONCE) {
      const some = tickets.slice(at, at + AT_ONCE).map((ticket) => this.#add(ticket));
      for (const outcome of await Promise.allSettled(some)) {
        if (outcome.status === 'rejected') failures.push(outcome.reason);
      }
      // Redis is away: for the others, too.
      if (failures.some((failure) => failure instanceof Problem)) return;
    }
  }
}
