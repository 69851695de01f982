// The queue of a fleet: BullMQ on Redis hands out the work, the ledger beside it in Redis says what is.

import type {
  EventsWanted,
  EventStream,
  Hint,
  JobFilter,
  JobHandler,
  JobQueue,
  KeptJob,
  LaneStanding,
  Page,
  PartHandler,
} from '../contracts.ts';
import { rest } from '../lib/pause.ts';
import { isFinished, LANES } from '../jobs/job.ts';
import type { Job, JobStatus, Lane, NewJob } from '../jobs/job.ts';
import { isAway, Problem } from '../problems.ts';
import { isNotSent } from '../redis/connection.ts';
import type { BullClaim } from './bullmq-claims.ts';
import { PART_SLOTS } from './bullmq-part-names.ts';
import { openBullRooms } from './bullmq-rooms.ts';
import type { BullQueueOptions, BullRooms } from './bullmq-rooms.ts';
import { EventFeed } from './event-feed.ts';
import { followEvents } from './follow-events.ts';
import { pageOf } from './pages.ts';
import { Runner } from './runner.ts';

/** Milliseconds between two tries to read events of a Redis that is away. */
const RETRY = 500;
/** Lanes whose jobs may be worked on by several machines. */
const SHARING: ReadonlySet<Lane> = new Set(['video', 'film']);

/** Rejects, with an Error for people, where Redis cannot be reached or is too old. */
export async function openBullQueue(options: BullQueueOptions): Promise<JobQueue> {
  return new BullQueue(await openBullRooms(options), options);
}

class BullQueue implements JobQueue {
  readonly #rooms: BullRooms;
  readonly #ledger: BullRooms['ledger'];
  readonly #jobs: BullRooms['jobs'];
  readonly #options: BullQueueOptions;
  readonly #feed: EventFeed;
  readonly #runner: Runner<BullClaim>;
  readonly #unsubscribe: () => void;
  #closing: Promise<void> | undefined;
  #closed = false;

  constructor(rooms: BullRooms, options: BullQueueOptions) {
    const { leaseSeconds, leaving, hints } = options;
    this.#rooms = rooms;
    this.#ledger = rooms.ledger;
    this.#jobs = rooms.jobs;
    this.#options = options;
    this.#feed = new EventFeed(rooms.reader);
    this.#runner = new Runner({
      ...{ ledger: rooms.claims, leaseSeconds, leaving, log: rooms.log },
      // Redis wakes who waits for work or for events.
      announce: () => undefined,
      extras: ({ job }, signal) => (SHARING.has(job.lane) ? { share: rooms.parts.share(job, signal) } : {}),
    });
    // Every lease looks run out after an outage: who is alive shows it at once.
    rooms.redis.on('ready', () => {
      this.#runner.beat();
      this.#jobs.forget();
    });
    this.#unsubscribe = hints.subscribe((hint) => this.#hear(hint));
  }

  /**
   * Rejects `backend_unavailable` if it is not known whether the job was stored. Then it may be there all the same: one
   * with an idempotency key is found by that when it is sent again.
   */
  async add(asked: NewJob): Promise<Job> {
    this.#assertOpen();
    const { job, added } = await this.#ledger.add(asked).catch(async (error: unknown) => {
      // The answer may have been lost on its way, so it is asked for.
      const stored = isUnanswered(error)
        ? await this.#ledger.read(asked.id).catch(() => undefined)
        : undefined;
      if (stored === undefined) throw error;
      return { job: stored, added: true };
    });
    if (added) await this.#rooms.owed.pay(job, 1);
    return job;
  }

  async made(idempotencyKey: string): Promise<Job | undefined> {
    this.#assertOpen();
    return this.#jobs.made(idempotencyKey);
  }

  /** The very same object as long as the job has not changed: what is made of it may be kept in a WeakMap. */
  async get(id: string): Promise<Job | undefined> {
    this.#assertOpen();
    return this.#jobs.get(id);
  }

  async list(filter: JobFilter): Promise<Page<Job>> {
    this.#assertOpen();
    return pageOf(filter, (before, limit) => this.#jobs.page(filter, before, limit));
  }

  async cancel(id: string): Promise<Job | undefined> {
    this.#assertOpen();
    const change = await this.#ledger.cancel(id);
    if (change === undefined) return undefined;
    const { before, after } = change;
    if (after === before) return after;
    if (isFinished(after)) {
      this.#runner.settle([after]);
      await this.#rooms.tickets.drop(after, change.hop);
    } else {
      this.#runner.check(id);
      this.#options.hints.publish({ topic: 'cancel', id });
    }
    return after;
  }

  async remove(id: string): Promise<Job | undefined> {
    this.#assertOpen();
    const removed = await this.#ledger.remove(id);
    if (removed === undefined) return undefined;
    const { before, after, hop, isFree } = removed;
    // Of a running one the owner tells when it has stopped: until then the source is being read.
    if (isFree) this.#runner.settle([after]);
    if (before.status === 'queued') await this.#rooms.tickets.drop(before, hop);
    if (before.status === 'running') {
      this.#runner.check(id);
      this.#options.hints.publish({ topic: 'cancel', id });
    }
    return after;
  }

  async counts(tenant?: string): Promise<Record<JobStatus, number>> {
    this.#assertOpen();
    return this.#jobs.counts(tenant);
  }

  async lanes(): Promise<Record<Lane, LaneStanding>> {
    this.#assertOpen();
    return this.#jobs.lanes();
  }

  work(lane: Lane, handler: JobHandler, { concurrency }: { readonly concurrency: number }): void {
    this.#assertOpen();
    this.#runner.work(lane, handler, concurrency);
  }

  events({ after, of, signal }: EventsWanted): EventStream {
    this.#assertOpen();
    // Asked now and not at the first `next`. A number that was never given (another ledger's) means now as well.
    const begin = this.#rooms.reader.newest().then((newest) => Math.min(after ?? newest, newest));
    const from = { of, after: begin, meanwhile: after ?? this.#feed.newest, signal };
    return followEvents(this.#feed, from, (read) => untilReached(read, signal, () => this.#feed.closed));
  }

  async newestEvent(): Promise<number> {
    this.#assertOpen();
    return this.#rooms.reader.newest();
  }

  async hasNews(jobId: string, after: number): Promise<boolean> {
    this.#assertOpen();
    return (await this.#ledger.call('news', jobId, after)) === 1;
  }

  async finished(id: string, signal: AbortSignal): Promise<Job | undefined> {
    this.#assertOpen();
    using held = this.#feed.hold();
    let job: Job | undefined;
    if (held.begun !== undefined) {
      // Rejects where Redis is away, which the feed would wait for.
      job = await this.#jobs.get(id);
      await held.begun;
      if (this.#feed.closed) return job;
    }
    do {
      // Before the look, so that what happens during it is not missed.
      using watch = this.#feed.watch(id, signal);
      job = await this.#jobs.get(id);
      if (job === undefined || isFinished(job) || signal.aborted) break;
      await watch.woken;
    } while (!this.#feed.closed);
    return job;
  }

  workParts(handler: PartHandler, options: { readonly concurrency: number }): void {
    this.#assertOpen();
    this.#rooms.parts.work(handler, options);
  }

  async parts(): Promise<LaneStanding | null> {
    this.#assertOpen();
    return this.#rooms.parts.standing();
  }

  async abandon(owner: string): Promise<void> {
    this.#assertOpen();
    const jobs = await this.#rooms.claims.abandon(owner);
    this.#runner.settle(jobs.filter(isFinished));
    await this.#rooms.slots.abandon(owner, [...LANES, PART_SLOTS]);
    await this.#rooms.parts.abandon(owner);
    for (const { id } of jobs) this.#options.hints.publish({ topic: 'cancel', id });
  }

  async expired(now: number, limit: number): Promise<readonly Job[]> {
    this.#assertOpen();
    return this.#jobs.expired(now, limit);
  }

  async endings(before: number, limit: number): Promise<readonly Job[]> {
    this.#assertOpen();
    return this.#jobs.endings(before, limit);
  }

  async acknowledge(id: string): Promise<void> {
    this.#assertOpen();
    await this.#ledger.acknowledge(id);
  }

  async dump(after: string | undefined, limit: number): Promise<readonly KeptJob[]> {
    this.#assertOpen();
    return this.#jobs.dump(after, limit);
  }

  async restore(kept: KeptJob): Promise<boolean> {
    this.#assertOpen();
    const restored = await this.#ledger.restore(kept);
    if (restored?.status === 'queued') await this.#rooms.owed.pay(restored, 1);
    return restored !== undefined;
  }

  async skipEvents(to: number): Promise<void> {
    this.#assertOpen();
    await this.#ledger.call('skip', to);
  }

  close({ deadline }: { readonly deadline?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(Math.max(0, (deadline ?? 0) - Date.now()));
    return this.#closing;
  }

  /** Handlers that do not stop get 2 s more after the deadline. Watchers watch until the jobs are back. */
  async #close(patience: number): Promise<void> {
    await Promise.all([
      this.#runner.stop(patience),
      this.#rooms.parts.close({ deadline: Date.now() + patience }),
    ]);
    this.#closed = true;
    this.#unsubscribe();
    this.#feed.close();
    this.#rooms.reader.close();
    await this.#rooms.close();
  }

  #hear(hint: Hint): void {
    if (hint.topic === 'work') this.#rooms.slots.poke(hint.lane);
    if (hint.topic === 'cancel') this.#runner.check(hint.id);
    if (hint.topic === 'abandoned' && hint.owner !== this.#options.owner) {
      this.abandon(hint.owner).catch((error: unknown) => {
        // Leases make up for it.
        this.#rooms.log.warn({ err: error }, 'the jobs of a dead process could not be given back at once');
      });
    }
  }

  #assertOpen(): void {
    if (!this.#closed) return;
    throw new Problem('shutting_down', 'The server is stopping. Nothing was kept; try again.');
  }
}

function isUnanswered(error: unknown): boolean {
  return isAway(error) && !isNotSent(error.cause);
}

/** Whoever follows events waits for Redis to come back; undefined if it does not want to any more. */
async function untilReached<T>(
  question: () => T | Promise<T>,
  signal: AbortSignal,
  isClosed: () => boolean,
): Promise<T | undefined> {
  while (!signal.aborted && !isClosed()) {
    try {
      return await question();
    } catch (error) {
      if (!isAway(error)) throw error;
    }
    await rest(RETRY, signal);
  }
  return undefined;
}
