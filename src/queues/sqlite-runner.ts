// Takes jobs of the embedded queue and runs them: claims, heartbeats, aborts, and what is done when an attempt ends.

import { setTimeout as delay } from 'node:timers/promises';
import type { JobHandler } from '../contracts.ts';
import { isFinished } from '../jobs/job.ts';
import type { Job, JobAction, Lane } from '../jobs/job.ts';
import { Problem } from '../problems.ts';
import { abort, meaningOf } from './attempt.ts';
import type { Attempt } from './attempt.ts';
import { Chores, within } from './chores.ts';
import { ProgressThrottle } from './progress-throttle.ts';
import type { Claim, SqliteLedger } from './sqlite-ledger.ts';
import type { SqliteWriter } from '../sqlite/writer.ts';

/** What the queue reports to people; pino fits. */
export interface QueueLog {
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

interface RunnerOptions {
  readonly ledger: SqliteLedger;
  readonly writer: SqliteWriter;
  readonly leaseSeconds: number;
  readonly log: QueueLog;
  /** Aborted when the process begins to leave: no further job is taken from then on. */
  readonly leaving?: AbortSignal | undefined;
  /** Tells everyone that jobs changed; `freed` are the lanes that have a job or a place more. */
  readonly announce: (jobs: readonly Job[], freed?: readonly Lane[]) => void;
}

interface LaneWork {
  readonly lane: Lane;
  readonly handler: JobHandler;
  readonly concurrency: number;
  pumping: Promise<void> | undefined;
  /** Someone asked again while it was pumping. */
  again: boolean;
}

/** Milliseconds that a handler gets to stop after its signal aborted with `handed_back`. */
const GRACE = 2000;
/** Milliseconds without a look at the queue after which this process was away; looks are a third of a second apart. */
const LONG_PAUSE = 2000;
/** Milliseconds before an end that could not be written (disk full) is written again. */
const REWRITE = 1000;
/**
 * Milliseconds per job already running here before the next is taken. A process that runs fewer is that much
 * quicker, so jobs spread over the processes instead of piling up in the one that looked first.
 */
const COURTESY = 2;
const MAX_COURTESY = 20;

export class SqliteRunner {
  readonly #options: RunnerOptions;
  readonly #lanes = new Map<Lane, LaneWork>();
  readonly #attempts = new Map<Attempt, Promise<void>>();
  readonly #chores: Chores;
  readonly #stopped = new AbortController();
  #heartbeat: NodeJS.Timeout | undefined;
  #stopping = false;
  /** When this process last looked for work, in milliseconds since 1970. */
  #lookedAt = Date.now();
  /** The claim failed: said once, not three times a second. */
  #complained = false;

  constructor(options: RunnerOptions) {
    this.#options = options;
    // The sweeper finds what a failed one leaves over.
    this.#chores = new Chores((error, name) => options.log.warn({ err: error }, `${name} failed`));
  }

  work(lane: Lane, handler: JobHandler, concurrency: number): void {
    if (this.#lanes.has(lane)) throw new Error(`lane ${lane} is worked on already`);
    this.#lanes.set(lane, { lane, handler, concurrency, pumping: undefined, again: false });
    this.pump(lane);
  }

  /** Looks for jobs to take; of all lanes if none is named. Cheap where there is none. */
  pump(only?: Lane): void {
    for (const work of this.#lanes.values()) {
      if (this.#isLeaving || (only !== undefined && work.lane !== only)) continue;
      work.again = true;
      work.pumping ??= this.#pump(work).finally(() => {
        work.pumping = undefined;
        if (work.again) this.pump(work.lane);
      });
    }
  }

  /** Something happened to a job: if it runs here, whether it was cancelled or taken from us. */
  check(jobId: string): void {
    for (const attempt of this.#attempts.keys()) {
      if (attempt.jobId !== jobId) continue;
      const standing = this.#options.ledger.standing(attempt);
      if (standing === 'cancelled') abort(attempt, 'cancelled');
      if (standing === 'lost') abort(attempt, 'lease_lost');
    }
  }

  /** Tells the handlers of jobs that have ended for good. */
  settle(jobs: readonly Job[]): void {
    for (const job of jobs) {
      const handler = this.#lanes.get(job.lane)?.handler;
      if (handler !== undefined) this.#chores.add(`settling ${job.id}`, () => handler.settled(job));
    }
  }

  /** Takes nothing more, waits `patience` milliseconds for what runs, then hands it back. */
  async stop(patience: number): Promise<void> {
    this.#stopping = true;
    for (const { pumping } of this.#lanes.values()) await pumping;
    await this.#ended(patience);
    for (const attempt of this.#attempts.keys()) abort(attempt, 'handed_back');
    await this.#ended(GRACE);
    this.#stopped.abort();
    for (const attempt of this.#attempts.keys()) {
      if (!attempt.returned) await this.#giveUp(attempt);
    }
    clearInterval(this.#heartbeat);
    await this.#chores.done(GRACE);
  }

  async #pump(work: LaneWork): Promise<void> {
    const { lane, concurrency } = work;
    try {
      await this.#comeBack();
      while (work.again && !this.#isLeaving) {
        work.again = false;
        if (!this.#options.ledger.hasWork(lane, concurrency)) continue;
        await this.#claim(work);
        this.#complained = false;
      }
    } catch (error) {
      if (!this.#complained) this.#options.log.error({ err: error, lane }, 'no job can be taken at present');
      this.#complained = true;
    }
  }

  get #isLeaving(): boolean {
    return this.#stopping || this.#options.leaving?.aborted === true;
  }

  /**
   * After a pause of this process or of the whole machine (sleep, SIGSTOP) every lease looks run out, our own too. Who
   * is alive shows it first; then what is still run out is taken over.
   */
  async #comeBack(): Promise<void> {
    const beat = (this.#options.leaseSeconds * 1000) / 3;
    const away = Date.now() - this.#lookedAt;
    this.#lookedAt = Date.now();
    if (away < Math.max(2 * beat, LONG_PAUSE)) return;
    await this.#beat();
    await delay(beat, undefined, { signal: this.#stopped.signal }).catch(() => undefined);
    this.#lookedAt = Date.now();
  }

  async #claim(work: LaneWork): Promise<void> {
    const { ledger, writer, announce } = this.#options;
    const { lane, concurrency } = work;
    const { claim, interrupted } = await writer.write(() => ledger.claim(lane, concurrency));
    this.settle(interrupted.filter(isFinished));
    announce(claim === undefined ? interrupted : [...interrupted, claim.job]);
    if (claim === undefined) return;
    const running = [...this.#attempts.keys()].filter((attempt) => attempt.job.lane === lane).length;
    this.#start(claim, work.handler);
    work.again = true;
    if (running > 0) await delay(Math.min(running * COURTESY, MAX_COURTESY));
  }

  #start(claim: Claim, handler: JobHandler): void {
    const { ledger, writer, announce, log, leaseSeconds } = this.#options;
    const progress = new ProgressThrottle(async (update) => {
      try {
        const held = await writer.write(() => ledger.progress(claim, update), { durable: false });
        if (held) announce([claim.job]);
        else abort(attempt, 'lease_lost');
      } catch (error) {
        // The next update carries on; the end of the job is what must not be lost.
        log.warn({ err: error, job: claim.jobId }, 'progress could not be written');
      }
    });
    const attempt: Attempt = {
      ...claim,
      handler,
      controller: new AbortController(),
      progress,
      returned: false,
      givenUp: false,
    };
    this.#attempts.set(
      attempt,
      this.#run(attempt).finally(() => this.#attempts.delete(attempt)),
    );
    this.#heartbeat ??= setInterval(() => void this.#beat(), (leaseSeconds * 1000) / 3);
  }

  async #run(attempt: Attempt): Promise<void> {
    const { job, handler, controller, progress } = attempt;
    let action: JobAction | undefined;
    try {
      // A drain that began while the job was being claimed: back at once.
      if (this.#stopping) abort(attempt, 'handed_back');
      controller.signal.throwIfAborted();
      const result = await handler.run(job, {
        signal: controller.signal,
        progress: (update) => progress.push(update),
      });
      action = { type: 'succeed', results: result.outputs, warnings: result.warnings };
    } catch (error) {
      action = meaningOf(error, controller.signal);
      if (action?.type === 'fail' && action.problem.status >= 500) {
        this.#options.log.error({ err: error, job: attempt.jobId }, 'an attempt failed');
      }
    }
    attempt.returned = true;
    const unwritten = progress.stop();
    if (attempt.givenUp) return;
    const after = action && (await this.#finish(attempt, action, unwritten));
    if (after === 'unknown') return;
    if (action?.type === 'succeed' && after?.status !== 'succeeded') {
      // The job as this attempt had it: its number names the files.
      this.#chores.add(`discarding ${job.id}`, () => handler.discard(job));
    }
    if (after === undefined) this.#settleRemoved(job);
    else if (isFinished(after)) this.settle([after]);
  }

  /** The job after its end; undefined if the lease was lost; 'unknown' if it could not be written. */
  async #finish(
    attempt: Attempt,
    action: JobAction,
    unwritten: ReturnType<ProgressThrottle['stop']>,
  ): Promise<Job | 'unknown' | undefined> {
    const { ledger, writer, announce, log } = this.#options;
    for (;;) {
      try {
        const after = await writer.write(() => ledger.finish(attempt, action, unwritten));
        // One that was moved leaves a place in its first lane, and waits in the other.
        if (after !== undefined) announce([after], [attempt.job.lane, after.lane]);
        return after;
      } catch (error) {
        log.error({ err: error, job: attempt.jobId }, 'the end of an attempt could not be written');
        // A full or busy disk passes, and hours of work hang on it: heartbeats go on meanwhile.
        if (!(error instanceof Problem) || this.#stopped.signal.aborted) return 'unknown';
      }
      await delay(REWRITE, undefined, { signal: this.#stopped.signal }).catch(() => undefined);
    }
  }

  async #beat(): Promise<void> {
    const attempts = [...this.#attempts.keys()];
    if (attempts.length === 0) {
      clearInterval(this.#heartbeat);
      this.#heartbeat = undefined;
      return;
    }
    const { ledger, writer, log } = this.#options;
    try {
      const lost = await writer.write(() => ledger.extend(attempts), { durable: false });
      for (const attempt of lost) abort(attempt, 'lease_lost');
      for (const { jobId } of attempts) this.check(jobId);
    } catch (error) {
      log.error({ err: error }, 'the heartbeat could not be written');
    }
  }

  async #giveUp(attempt: Attempt): Promise<void> {
    attempt.givenUp = true;
    this.#attempts.delete(attempt);
    const { log } = this.#options;
    log.warn({ job: attempt.jobId }, 'a handler did not stop when asked; its job is handed back without it');
    await this.#finish(attempt, { type: 'hand_back' }, attempt.progress.stop());
  }

  /** A job removed while it ran has no row to say so: its owner is the one who knows that its source is free now. */
  #settleRemoved(job: Job): void {
    try {
      if (this.#options.ledger.isGone(job.id)) this.settle([job]);
    } catch (error) {
      this.#options.log.warn({ err: error, job: job.id }, 'a removed job could not be settled');
    }
  }

  /** Resolves when nothing runs, at the latest after so many milliseconds. */
  #ended(milliseconds: number): Promise<void> {
    return within(Promise.all(this.#attempts.values()), milliseconds);
  }
}
