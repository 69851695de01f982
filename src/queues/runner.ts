// Takes jobs of a queue and runs them: claims, heartbeats, aborts, and what is done when an attempt ends.

import { setTimeout as delay } from 'node:timers/promises';
import { rest } from '../lib/pause.ts';
import type { JobContext, JobHandler } from '../contracts.ts';
import { isFinished } from '../jobs/job.ts';
import type { Job, JobAction, Lane, ProgressUpdate } from '../jobs/job.ts';
import { Problem } from '../problems.ts';
import { abort, complain, heed, meaningOf } from './attempt.ts';
import type { Attempt } from './attempt.ts';
import { Chores, within } from './chores.ts';
import type { Claim, Ledger } from './ledger.ts';
import { ProgressThrottle } from './progress-throttle.ts';

/** What the queue reports to people; pino fits. */
export interface QueueLog {
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

interface RunnerOptions<C extends Claim> {
  readonly ledger: Ledger<C>;
  readonly leaseSeconds: number;
  readonly log: QueueLog;
  /** Aborted when the process begins to leave: no further job is taken from then on. */
  readonly leaving?: AbortSignal | undefined;
  /** Tells everyone that jobs changed; `freed` are the lanes that have a job or a place more. */
  readonly announce: (jobs: readonly Job[], freed?: readonly Lane[]) => void;
  /** What the handler of an attempt gets beside signal and progress. */
  readonly extras?: (claim: C, signal: AbortSignal) => Pick<JobContext, 'share'>;
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
/** Milliseconds before what failed is tried again: taking a job, writing an end (disk full). */
const REWRITE = 1000;
/** Milliseconds between two questions to a handler that can do nothing. */
const ASK_AGAIN = 3000;
/**
 * Milliseconds per job already running here before the next is taken. A process that runs fewer is that much
 * quicker, so jobs spread over the processes instead of piling up in the one that looked first.
 */
const COURTESY = 2;
const MAX_COURTESY = 20;

export class Runner<C extends Claim> {
  readonly #options: RunnerOptions<C>;
  readonly #lanes = new Map<Lane, LaneWork>();
  readonly #attempts = new Map<Attempt<C>, Promise<void>>();
  readonly #chores: Chores;
  readonly #taking = new AbortController();
  readonly #stopped = new AbortController();
  #heartbeat: NodeJS.Timeout | undefined;
  /** A claim failed: said once, not three times a second. */
  #complained = false;

  constructor(options: RunnerOptions<C>) {
    this.#options = options;
    // The sweeper finds what a failed one leaves over.
    this.#chores = new Chores((error, name) => options.log.warn({ err: error }, `${name} failed`));
    const leave = (): void => this.#taking.abort();
    if (options.leaving?.aborted === true) leave();
    else options.leaving?.addEventListener('abort', leave, { once: true });
    this.#stopped.signal.addEventListener('abort', () =>
      options.leaving?.removeEventListener('abort', leave),
    );
  }

  work(lane: Lane, handler: JobHandler, concurrency: number): void {
    if (this.#lanes.has(lane)) throw new Error(`lane ${lane} is worked on already`);
    this.#lanes.set(lane, { lane, handler, concurrency, pumping: undefined, again: false });
    this.pump(lane);
  }

  /** Looks for jobs to take; of all lanes if none is named. Cheap where there is none. */
  pump(only?: Lane): void {
    for (const work of this.#lanes.values()) {
      if (this.#taking.signal.aborted || (only !== undefined && work.lane !== only)) continue;
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
      if (attempt.claim.job.id === jobId) void this.#check(attempt);
    }
  }

  /** Tells the handlers of jobs that have ended for good. */
  settle(jobs: readonly Job[]): void {
    for (const job of jobs) {
      const handler = this.#lanes.get(job.lane)?.handler;
      if (handler !== undefined) this.#chores.add(`settling ${job.id}`, () => handler.settled(job));
    }
  }

  /** Shows at once that this process is alive: a backend that was away is back. */
  beat(): void {
    void this.#beat();
  }

  /** Takes nothing more, waits `patience` milliseconds for what runs, then hands it back. */
  async stop(patience: number): Promise<void> {
    this.#taking.abort();
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
    while (work.again && !this.#taking.signal.aborted) {
      work.again = false;
      try {
        await this.#take(work);
        this.#complained = false;
      } catch (error) {
        if (!this.#complained)
          this.#options.log.error({ err: error, lane: work.lane }, 'no job can be taken at present');
        this.#complained = true;
        await this.#askAgain(work, REWRITE);
      }
    }
  }

  /** Nobody else may ever ask: a queue that waits for jobs is not asked a second time. */
  async #askAgain(work: LaneWork, pause: number): Promise<void> {
    work.again = true;
    await rest(pause, this.#taking.signal);
  }

  async #take(work: LaneWork): Promise<void> {
    const { ledger, announce } = this.#options;
    const { lane, concurrency } = work;
    if ((await work.handler.able?.()) === false) return this.#askAgain(work, ASK_AGAIN);
    const taking = { signal: this.#taking.signal, beat: () => this.#beat() };
    const taken = await ledger.take(lane, concurrency, taking);
    if (taken === undefined) return;
    const { claim, interrupted } = taken;
    this.settle(interrupted.filter(isFinished));
    announce(claim === undefined ? interrupted : [...interrupted, claim.job]);
    work.again = true;
    if (claim === undefined) return;
    const running = [...this.#attempts.keys()].filter((attempt) => attempt.claim.job.lane === lane).length;
    this.#start(claim, work.handler);
    if (running > 0) await delay(Math.min(running * COURTESY, MAX_COURTESY));
  }

  #start(claim: C, handler: JobHandler): void {
    const { ledger, announce, log, leaseSeconds } = this.#options;
    const progress = new ProgressThrottle(async (update) => {
      try {
        if (await ledger.progress(claim, update)) announce([claim.job]);
        else abort(attempt, 'lease_lost');
      } catch (error) {
        // The next update carries on; the end of the job is what must not be lost.
        log.warn({ err: error, job: claim.job.id }, 'progress could not be written');
      }
    });
    const attempt: Attempt<C> = {
      claim,
      handler,
      controller: new AbortController(),
      progress,
      returned: false,
      givenUp: false,
    };
    const run = this.#run(attempt).finally(() => {
      this.#attempts.delete(attempt);
      if (!attempt.givenUp) ledger.leave(claim);
    });
    this.#attempts.set(attempt, run);
    this.#heartbeat ??= setInterval(() => void this.#beat(), (leaseSeconds * 1000) / 3);
  }

  async #run(attempt: Attempt<C>): Promise<void> {
    const { claim, handler, controller, progress } = attempt;
    const { job } = claim;
    let action: JobAction | undefined;
    try {
      // A drain that began while the job was being claimed: back at once.
      if (this.#taking.signal.aborted) abort(attempt, 'handed_back');
      controller.signal.throwIfAborted();
      const result = await handler.run(job, {
        signal: controller.signal,
        progress: (update) => progress.push(update),
        ...this.#options.extras?.(claim, controller.signal),
      });
      action = { type: 'succeed', results: result.outputs, warnings: result.warnings };
    } catch (error) {
      action = meaningOf(error, controller.signal);
      complain(this.#options.log, job, action, error);
    }
    attempt.returned = true;
    const unwritten = progress.stop();
    if (attempt.givenUp) return;
    const after = action && (await this.#finish(claim, action, unwritten));
    if (after === 'unknown') return;
    if (action?.type === 'succeed' && after?.status !== 'succeeded') {
      // The job as this attempt had it: its number names the files.
      this.#chores.add(`discarding ${job.id}`, () => handler.discard(job));
    }
    if (after === undefined) await this.#settleRemoved(job);
    else if (isFinished(after)) this.settle([after]);
  }

  /** The job after its end; undefined if the lease was lost; 'unknown' if it could not be written. */
  async #finish(
    claim: C,
    action: JobAction,
    unwritten: ProgressUpdate | undefined,
  ): Promise<Job | 'unknown' | undefined> {
    const { ledger, announce, log } = this.#options;
    for (;;) {
      try {
        const after = await ledger.finish(claim, action, unwritten);
        // One that was moved leaves a place in its first lane, and waits in the other.
        if (after !== undefined) announce([after], [claim.job.lane, after.lane]);
        return after;
      } catch (error) {
        log.error({ err: error, job: claim.job.id }, 'the end of an attempt could not be written');
        // A full or busy disk passes, and hours of work hang on it: heartbeats go on meanwhile.
        if (!(error instanceof Problem) || this.#stopped.signal.aborted) return 'unknown';
      }
      await rest(REWRITE, this.#stopped.signal);
    }
  }

  async #check(attempt: Attempt<C>): Promise<void> {
    const { ledger, log } = this.#options;
    try {
      heed(attempt, await ledger.standing(attempt.claim));
    } catch (error) {
      log.warn({ err: error, job: attempt.claim.job.id }, 'how a running job stands could not be read');
    }
  }

  async #beat(): Promise<void> {
    const attempts = [...this.#attempts.keys()];
    if (attempts.length === 0) {
      clearInterval(this.#heartbeat);
      this.#heartbeat = undefined;
      return;
    }
    const { ledger, log } = this.#options;
    try {
      const standings = await ledger.renew(attempts.map(({ claim }) => claim));
      for (const [index, attempt] of attempts.entries()) heed(attempt, standings[index]);
    } catch (error) {
      log.error({ err: error }, 'the heartbeat could not be written');
    }
  }

  async #giveUp(attempt: Attempt<C>): Promise<void> {
    attempt.givenUp = true;
    this.#attempts.delete(attempt);
    const { claim } = attempt;
    const { log, ledger } = this.#options;
    log.warn({ job: claim.job.id }, 'a handler did not stop when asked; its job is handed back without it');
    await this.#finish(claim, { type: 'hand_back' }, attempt.progress.stop());
    ledger.leave(claim);
  }

  /** A job removed while it ran has no row to say so: its owner is the one who knows that its source is free now. */
  async #settleRemoved(job: Job): Promise<void> {
    try {
      if (await this.#options.ledger.isGone(job.id)) this.settle([job]);
    } catch (error) {
      this.#options.log.warn({ err: error, job: job.id }, 'a removed job could not be settled');
    }
  }

  /** Resolves when nothing runs, at the latest after so many milliseconds. */
  #ended(milliseconds: number): Promise<void> {
    return within(Promise.all(this.#attempts.values()), milliseconds);
  }
}
