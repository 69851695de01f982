// BullMQ hands out the work: one queue for each lane, whose BullMQ jobs are tickets that only name a job of the ledger.

import { setTimeout as delay } from 'node:timers/promises';
import { Queue, Worker } from 'bullmq';
import type { Job as BullJob } from 'bullmq';
import { rest } from '../lib/pause.ts';
import { LANES } from '../jobs/job.ts';
import type { Job, Lane } from '../jobs/job.ts';
import { unreachable } from '../redis/connection.ts';
import type { Redis } from '../redis/connection.ts';
import { releaseBy } from './bullmq-release.ts';
import type { Release } from './bullmq-release.ts';
import { watchStalled } from './bullmq-stalled.ts';
import type { QueueLog } from './runner.ts';

/** A ticket that this process holds: it has its lock. */
export interface Ticket {
  readonly lane: Lane;
  /** BullMQ's id of it; its queue is named as the lane is. */
  readonly id: string;
  readonly jobId: string;
  /** Which of the job's tickets it is: one for each lane that the job came into. */
  readonly hop: number;
  /** Of its lock. */
  readonly token: string;
  readonly bull: BullJob;
}

interface TicketsOptions {
  /** For calls. */
  readonly redis: Redis;
  /** For BullMQ's workers: its calls may take as long as Redis holds a question, 10 seconds. */
  readonly blocking: Redis;
  /** Of BullMQ's keys. */
  readonly prefix: string;
  readonly leaseSeconds: number;
  /** Milliseconds between looks for tickets whose owners are gone, in the whole fleet. */
  readonly stalledMilliseconds: number;
  readonly log: QueueLog;
}

/** BullMQ's priorities go from 1, the first, to 2^21. Ours are symmetric, and higher goes first. */
const MIDDLE = 2 ** 20;
/** Seconds that Redis holds a question for tickets. Whoever took a wake-up with it and died costs the others as long. */
const HOLD = 5;
const PAUSE = 500;
/** Milliseconds that whoever leaves waits for the answer to its last question. */
const FAREWELL = 300;

export class Tickets {
  readonly #options: TicketsOptions;
  readonly #queues = new Map<Lane, Queue>();
  readonly #workers = new Map<Lane, Worker>();
  readonly #watches: Disposable[] = [];
  readonly #release: Release;
  #complained = false;

  constructor(options: TicketsOptions) {
    this.#options = options;
    this.#release = releaseBy(options.redis);
  }

  /** Adds a job's ticket behind those of its priority. Twice is harmless. */
  async add({ id, lane, priority }: Job, hop: number): Promise<void> {
    try {
      await this.#queue(lane).add('job', {}, { jobId: ticketId(id, hop), priority: bullPriority(priority) });
    } catch (error) {
      throw unreachable(error);
    }
  }

  /** The next ticket of a lane, once there is one; undefined when the signal aborts. */
  async next(lane: Lane, newToken: () => string, signal: AbortSignal): Promise<Ticket | undefined> {
    const worker = this.#worker(lane, signal);
    while (!signal.aborted) {
      const token = newToken();
      try {
        const ticket = await this.#fetch(worker, lane, token, signal);
        this.#complained = false;
        if (ticket !== undefined) return ticket;
      } catch (error) {
        if (signal.aborted) return undefined;
        this.#complain(error);
        await rest(PAUSE, signal);
      }
    }
    return undefined;
  }

  /** One question for a ticket. Whoever leaves does not wait for its answer, and gives back what it brings. */
  async #fetch(worker: Worker, lane: Lane, token: string, signal: AbortSignal): Promise<Ticket | undefined> {
    const fetching = worker.getNextJob(token).then((bull) => ticketOf(lane, token, bull));
    const left = Promise.withResolvers<void>();
    const leave = (): void => void delay(FAREWELL).then(left.resolve);
    signal.addEventListener('abort', leave, { once: true });
    const given = fetching.then(async (ticket) => {
      if (ticket === undefined || !signal.aborted) return ticket;
      await this.giveBack(ticket);
      return undefined;
    });
    try {
      return (await Promise.race([given, left.promise])) ?? undefined;
    } finally {
      given.catch(() => undefined); // its lock runs out
      signal.removeEventListener('abort', leave);
    }
  }

  /** Done with: nobody gets it again. */
  complete({ bull, token }: Ticket): Promise<void> {
    return this.#end(async () => void (await bull.moveToCompleted(null, token, false)));
  }

  /** Back to where it came from, as the next of its priority. */
  giveBack({ lane, bull, token }: Ticket): Promise<void> {
    return this.#end(async () => {
      await bull.moveToWait(token);
      await this.#wake(lane);
    });
  }

  /** Nobody gets it for so many milliseconds. */
  postpone({ bull, token }: Ticket, milliseconds: number): Promise<void> {
    return this.#end(() => bull.moveToDelayed(Date.now() + milliseconds, token));
  }

  /**
   * Takes the tickets of an owner that is dead from it, by the tokens of their locks: also those of jobs that it had not
   * begun yet, or had ended already.
   */
  releaseOf(owner: string): Promise<void> {
    return this.#end(async () => {
      // The ledger counts how often a job was interrupted.
      for (const lane of LANES) await this.#release(this.#queue(lane).toKey(''), owner, 0);
    });
  }

  /** Nobody needs it any more; one that is held by somebody stays, and means nothing. */
  drop({ id, lane }: Pick<Job, 'id' | 'lane'>, hop: number): Promise<void> {
    return this.#end(async () => void (await this.#queue(lane).remove(ticketId(id, hop))));
  }

  async close(): Promise<void> {
    for (const watch of this.#watches) watch[Symbol.dispose]();
    for (const worker of this.#workers.values()) await worker.close(true).catch(() => undefined);
    for (const queue of this.#queues.values()) await queue.close().catch(() => undefined);
  }

  /**
   * What fails here is made up for by what is in the ledger: an owed ticket is added by whoever sees the note, one whose
   * lock runs out is found stalled, and whoever gets it looks what it means.
   */
  async #end(end: () => Promise<void>): Promise<void> {
    try {
      await end();
    } catch (error) {
      this.#options.log.warn(
        { err: error },
        'a ticket could not be put back; it is found when its lock runs out',
      );
    }
  }

  /** BullMQ wakes nobody for a ticket with a priority that is pushed back (pushBackJobWithPriority.lua). */
  async #wake(lane: Lane): Promise<void> {
    await this.#options.redis.zadd(this.#queue(lane).toKey('marker'), 0, '0');
  }

  #queue(lane: Lane): Queue {
    const known = this.#queues.get(lane);
    if (known !== undefined) return known;
    const { redis, prefix } = this.#options;
    const queue = new Queue(lane, {
      ...{ connection: redis, prefix, skipVersionCheck: true },
      // Nobody reads them, so they are kept short.
      streams: { events: { maxLen: 100 } },
      defaultJobOptions: { removeOnComplete: true, removeOnFail: true },
    });
    queue.on('error', (error) => this.#complain(error));
    this.#queues.set(lane, queue);
    return queue;
  }

  #worker(lane: Lane, signal: AbortSignal): Worker {
    const known = this.#workers.get(lane);
    if (known !== undefined) return known;
    const { redis, blocking, prefix, leaseSeconds, stalledMilliseconds, log } = this.#options;
    // Locks, stalled tickets and attempts are looked after here and in the ledger; BullMQ is asked for tickets only.
    const worker = new Worker(lane, null, {
      ...{ connection: blocking, prefix, skipVersionCheck: true, autorun: false },
      ...{ skipStalledCheck: true, skipLockRenewal: true, maxStalledCount: Number.MAX_SAFE_INTEGER },
      ...{ lockDuration: leaseSeconds * 1000, stalledInterval: stalledMilliseconds, drainDelay: HOLD },
    });
    worker.on('error', (error) => this.#complain(error));
    this.#workers.set(lane, worker);
    // Nothing else ends a question that Redis holds. Another one may have been woken for what we now leave.
    const leave = (): void => {
      void this.#end(async () => {
        await worker.close(true);
        await this.#wake(lane);
      });
    };
    if (signal.aborted) leave();
    else signal.addEventListener('abort', leave, { once: true });
    const backend = worker.getBackend();
    this.#watches.push(
      watchStalled({
        ...{ redis, log, every: stalledMilliseconds, grace: (leaseSeconds * 1000) / 3 + 1000 },
        stalledKey: worker.toKey('stalled'),
        checkKey: worker.toKey('stalled-check'),
        look: async () => void (await backend.moveStalledJobsToWait()),
      }),
    );
    return worker;
  }

  #complain(error: unknown): void {
    if (!this.#complained) this.#options.log.warn({ err: error }, 'BullMQ cannot reach Redis at present');
    this.#complained = true;
  }
}

function ticketOf(lane: Lane, token: string, bull: BullJob | undefined): Ticket | undefined {
  const id = bull?.id;
  if (bull === undefined || id === undefined) return undefined;
  const at = id.lastIndexOf('-');
  return { lane, token, bull, id, jobId: id.slice(0, at), hop: Number(id.slice(at + 1)) };
}

export function ticketId(jobId: string, hop: number): string {
  return `${jobId}-${hop}`;
}

export function bullPriority(priority: number): number {
  return Math.min(Math.max(MIDDLE - priority, 1), 2 * MIDDLE);
}
