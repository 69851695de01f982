// The embedded queue: durable, for all processes of one machine, in one SQLite file.

import type { DatabaseSync } from 'node:sqlite';
import type {
  Hint,
  EventsWanted,
  EventStream,
  HintBus,
  JobFilter,
  JobHandler,
  JobQueue,
  KeptJob,
  LaneStanding,
  Page,
} from '../contracts.ts';
import { isFinished } from '../jobs/job.ts';
import type { Job, JobPolicy, JobStatus, Lane, NewJob } from '../jobs/job.ts';
import { assertOpen, openConnection, readFrom } from '../sqlite/connection.ts';
import { SqliteWriter } from '../sqlite/writer.ts';
import { EventFeed } from './event-feed.ts';
import { followEvents } from './follow-events.ts';
import { pageOf } from './pages.ts';
import { Runner } from './runner.ts';
import type { QueueLog } from './runner.ts';
import { SqliteClaims } from './sqlite-claims.ts';
import { SqliteEvents } from './sqlite-events.ts';
import { laneReader } from './sqlite-lanes.ts';
import { SqliteLedger } from './sqlite-ledger.ts';
import type { SqliteClaim } from './sqlite-ledger.ts';
import { sqlitePoll } from './sqlite-poll.ts';
import { SqliteRows } from './sqlite-rows.ts';
import { QUEUE_MIGRATIONS } from './sqlite-schema.ts';

export interface SqliteQueueOptions {
  /** Of the database; its folder is made. */
  readonly path: string;
  /** Unique to this process, also among those that were before it. */
  readonly owner: string;
  readonly policy: JobPolicy;
  readonly leaseSeconds: number;
  /** Jobs that may wait, all lanes together. */
  readonly maxWaiting: number;
  readonly hints: HintBus;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  readonly log?: QueueLog;
  /** Aborted when the process begins to leave: it takes no further job, and ends those that it has. */
  readonly leaving?: AbortSignal;
  /** Between looks at the database: what a lost hint costs at most. 300 if not said; a look takes 6 µs. */
  readonly pollMilliseconds?: number;
}

const POLL = 300;
const SILENT: QueueLog = { warn: () => undefined, error: () => undefined };
/** After every id. */
const END_OF_IDS = '\u{10ffff}';

/** Opens the queue. Rejects where the file cannot be opened, or was written by a newer version. */
export async function openSqliteQueue(options: SqliteQueueOptions): Promise<JobQueue> {
  return new SqliteQueue(await openConnection(options.path, QUEUE_MIGRATIONS), options);
}

class SqliteQueue implements JobQueue {
  readonly #db: DatabaseSync;
  readonly #options: SqliteQueueOptions;
  readonly #now: () => number;
  readonly #log: QueueLog;
  readonly #rows: SqliteRows;
  readonly #events: SqliteEvents;
  readonly #lanes: () => Record<Lane, LaneStanding>;
  readonly #ledger: SqliteLedger;
  readonly #writer: SqliteWriter;
  readonly #feed: EventFeed;
  readonly #runner: Runner<SqliteClaim>;
  readonly #unsubscribe: () => void;
  #closing: Promise<void> | undefined;

  constructor(db: DatabaseSync, options: SqliteQueueOptions) {
    this.#db = db;
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#log = options.log ?? SILENT;
    this.#rows = new SqliteRows(db);
    this.#events = new SqliteEvents(db);
    this.#lanes = laneReader(db);
    this.#ledger = new SqliteLedger(this.#rows, this.#events, { ...options, now: this.#now });
    this.#writer = new SqliteWriter(db);
    const reader = sqlitePoll({
      source: this.#events,
      pollMilliseconds: options.pollMilliseconds ?? POLL,
      onTick: () => this.#runner.pump(),
      onError: (error) => this.#log.error({ err: error }, 'the job database could not be read'),
    });
    // This is how a cancel reaches the owner, at once by the hint `job`: it is an event as any other.
    this.#feed = new EventFeed(reader, (event) => this.#runner.check(event.jobId));
    this.#runner = new Runner({
      ledger: new SqliteClaims(this.#ledger, this.#writer, options.leaseSeconds),
      leaseSeconds: options.leaseSeconds,
      leaving: options.leaving,
      log: this.#log,
      announce: (jobs, freed) => this.#announce(jobs, freed),
    });
    this.#unsubscribe = options.hints.subscribe((hint) => this.#hear(hint));
  }

  async add(job: NewJob): Promise<Job> {
    // Asked once without the lock: a flood past the bound must not keep others from writing.
    const known = await this.#read(() => this.#ledger.admit(job));
    if (known !== undefined) return known;
    const stored = await this.#write(() => this.#ledger.add(job));
    if (stored.added) this.#announce([stored.job], [stored.job.lane]);
    return stored.job;
  }

  async made(idempotencyKey: string): Promise<Job | undefined> {
    return this.#read(() => this.#rows.byKey(idempotencyKey));
  }

  /** The very same object as long as the job has not changed: what is made of it may be kept in a WeakMap. */
  async get(id: string): Promise<Job | undefined> {
    return this.#read(() => this.#rows.cached(id));
  }

  async list(filter: JobFilter): Promise<Page<Job>> {
    return pageOf(filter, (before, limit) =>
      this.#read(() => this.#rows.page(filter, before ?? END_OF_IDS, limit)),
    );
  }

  async cancel(id: string): Promise<Job | undefined> {
    const change = await this.#write(() => this.#ledger.cancel(id));
    if (change === undefined) return undefined;
    const { before, after } = change;
    if (after === before) return after;
    this.#announce([after]);
    if (isFinished(after)) this.#runner.settle([after]);
    return after;
  }

  async remove(id: string): Promise<Job | undefined> {
    const removed = await this.#write(() => this.#ledger.remove(id));
    if (removed === undefined) return undefined;
    const { before, after, over } = removed;
    this.#announce([after], before.status === 'running' ? [after.lane] : []);
    // Of a running one the owner tells when it has stopped: until then the source is being read.
    if (over) this.#runner.settle([after]);
    return after;
  }

  async counts(tenant?: string): Promise<Record<JobStatus, number>> {
    return this.#read(() => this.#rows.counts(tenant));
  }

  async lanes(): Promise<Record<Lane, LaneStanding>> {
    return this.#read(this.#lanes);
  }

  work(lane: Lane, handler: JobHandler, { concurrency }: { readonly concurrency: number }): void {
    assertOpen(this.#db);
    this.#feed.hold();
    this.#runner.work(lane, handler, concurrency);
  }

  events({ after, of, signal }: EventsWanted): EventStream {
    assertOpen(this.#db);
    // Taken now and not at the first `next`. A number that was never given (another database's) means now as well.
    const newest = this.#events.newest();
    const from = { of, after: Math.min(after ?? newest, newest), signal };
    return followEvents(this.#feed, from, async (read) => this.#read(read));
  }

  async newestEvent(): Promise<number> {
    return this.#read(() => this.#events.newest());
  }

  async hasNews(jobId: string, after: number): Promise<boolean> {
    return this.#read(() => this.#events.hasNews(jobId, after));
  }

  async finished(id: string, signal: AbortSignal): Promise<Job | undefined> {
    using _ = this.#feed.hold();
    for (;;) {
      using watch = this.#feed.watch(id, signal);
      const job = await this.#read(() => this.#rows.cached(id));
      if (job === undefined || isFinished(job) || signal.aborted || this.#feed.closed) return job;
      await watch.woken;
      if (this.#feed.closed) return job;
    }
  }

  async abandon(owner: string): Promise<void> {
    // Every process hears of a death: all but the first find nothing, and need no lock to see it.
    if ((await this.#read(() => this.#rows.leasesOf(owner))).length === 0) return;
    const jobs = await this.#write(() => this.#ledger.abandon(owner));
    this.#runner.settle(jobs.filter(isFinished));
    for (const job of jobs) this.#announce([job], [job.lane]);
  }

  async expired(now: number, limit: number): Promise<readonly Job[]> {
    return this.#read(() => this.#rows.expired(now, limit));
  }

  async endings(before: number, limit: number): Promise<readonly Job[]> {
    return this.#read(() => this.#rows.endings(before, limit));
  }

  async acknowledge(id: string): Promise<void> {
    // What a power cut takes back of it is only done once more.
    await this.#write(() => this.#rows.forgetEnding(id), { durable: false });
  }

  async dump(after: string | undefined, limit: number): Promise<readonly KeptJob[]> {
    return this.#read(() => this.#rows.dump(after ?? '', limit));
  }

  async restore(kept: KeptJob): Promise<boolean> {
    const restored = await this.#write(() => this.#ledger.restore(kept));
    if (restored !== undefined) this.#announce([restored], [restored.lane]);
    return restored !== undefined;
  }

  async skipEvents(to: number): Promise<void> {
    await this.#write(() => this.#events.skip(to));
  }

  close({ deadline }: { readonly deadline?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(Math.max(0, (deadline ?? 0) - this.#now()));
    return this.#closing;
  }

  /** Handlers that do not stop get 2 s more after the deadline. Watchers watch until the jobs are back. */
  async #close(patience: number): Promise<void> {
    await this.#runner.stop(patience);
    this.#unsubscribe();
    this.#feed.close();
    await this.#writer.idle();
    this.#db.close();
  }

  /** Jobs have changed, lanes have a job or a place more: everybody who waits for that is woken, here and elsewhere. */
  #announce(jobs: readonly Job[], freed: readonly Lane[] = []): void {
    this.#feed.wake();
    for (const { id } of jobs) this.#options.hints.publish({ topic: 'job', id });
    for (const lane of new Set(freed)) {
      this.#runner.pump(lane);
      this.#options.hints.publish({ topic: 'work', lane });
    }
  }

  #hear(hint: Hint): void {
    try {
      if (hint.topic === 'work') this.#runner.pump(hint.lane);
      if (hint.topic === 'job') this.#feed.wake();
      if (hint.topic === 'abandoned' && hint.owner !== this.#options.owner) {
        this.abandon(hint.owner).catch((error: unknown) => this.#missed(error));
      }
    } catch (error) {
      this.#missed(error);
    }
  }

  /** The poll and the leases make up for it. */
  #missed(error: unknown): void {
    this.#log.warn({ err: error }, 'a hint could not be followed');
  }

  #read<T>(read: () => T): Promise<T> {
    return readFrom(this.#db, read);
  }

  async #write<T>(run: () => T, options?: { readonly durable: boolean }): Promise<T> {
    assertOpen(this.#db);
    return this.#writer.write(run, options);
  }
}
