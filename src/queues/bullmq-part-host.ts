// The side that does parts of other machines' jobs: takes them from BullMQ while the machine has a place, keeps their locks.

import { Queue, Worker } from 'bullmq';
import { randomUUID } from 'node:crypto';
import { rest } from '../lib/pause.ts';
import { JobAborted } from '../contracts.ts';
import type { AbortCause, HintBus, PartHandler } from '../contracts.ts';
import type { Job } from '../jobs/job.ts';
import { Problem } from '../problems.ts';
import { unreachable } from '../redis/connection.ts';
import type { Redis } from '../redis/connection.ts';
import { partLocks } from './bullmq-part-locks.ts';
import {
  bullKey,
  bullPrefix,
  handsKey,
  isOver,
  parentQueue,
  partQueue,
  PART_SLOTS,
  partSchema,
} from './bullmq-part-names.ts';
import { attemptPart } from './bullmq-part-run.ts';
import type { PartRun } from './bullmq-part-run.ts';
import { releaseBy } from './bullmq-release.ts';
import { watchStalled } from './bullmq-stalled.ts';
import { within } from './chores.ts';
import type { MachineSlots, Slot } from './bullmq-slots.ts';
import type { QueueLog } from './runner.ts';

export interface PartHostOptions {
  /** `{mediamill}:`. */
  readonly prefix: string;
  /** For calls. */
  readonly redis: Redis;
  /** For BullMQ, whose calls may block. */
  readonly blocking: Redis;
  readonly slots: MachineSlots;
  /** Unique to this process. */
  readonly owner: string;
  readonly leaseMs: number;
  readonly maxAttempts: number;
  /** The job as it is now. */
  readonly read: (id: string) => Promise<Job | undefined>;
  readonly hints: HintBus;
  readonly log: QueueLog;
  /** Aborted when the process begins to leave: no further part is taken from then on. */
  readonly leaving?: AbortSignal | undefined;
}

export interface PartHost {
  /** Gives the parts of a dead process back, without waiting for their locks to run out. */
  abandon(owner: string): Promise<void>;
  /** Something happened to a job: whether its parts that run here are still wanted. */
  check(jobId: string): void;
  /** Takes nothing more, waits until `deadline` (milliseconds since 1970), gives the rest back. */
  close(deadline: number): Promise<void>;
}

/** Milliseconds between two tries: for a place, for Redis, to write an end. */
const AGAIN = 500;
/** Seconds that Redis holds a question for parts. */
const HOLD = 5;
/** Milliseconds between two questions whether the handler can do anything. */
const ASK_AGAIN = 30_000;
const ASK_ABLE = 3000;
/** Milliseconds that a handler gets to stop. */
const GRACE = 2000;

/** Takes parts from now on, `concurrency` at once on this machine. */
export function startPartHost(handler: PartHandler, concurrency: number, options: PartHostOptions): PartHost {
  const { redis, slots, leaseMs, log, leaving, hints } = options;
  const keyOf = (name: string): string => bullKey(options, partQueue(kind ?? ''), name);
  const locks = partLocks(redis, keyOf, options);
  const release = releaseBy(redis);
  const runs = new Map<PartRun, Promise<void>>();
  const stopping = new AbortController();
  const closed = new AbortController();
  const taking = AbortSignal.any([stopping.signal, ...(leaving === undefined ? [] : [leaving])]);
  let worker: Worker | undefined;
  let stalled: Disposable | undefined;
  let parents: Queue | undefined;
  let kind: string | undefined;
  let isAble = true;
  /** The place that the next part will get. */
  let spare: Slot | undefined;

  const unsubscribe = hints.subscribe((hint) => {
    if (hint.topic === 'cancel') check(hint.id);
  });
  const heart = setInterval(() => void beat(), leaseMs / 3);
  // Every lock looks run out after an outage: who is alive shows it at once.
  const back = (): void => void beat();
  redis.on('ready', back);
  const loop = take().catch((error: unknown) => log.error({ err: error }, 'no parts are taken any more'));

  async function take(): Promise<void> {
    let complained = false;
    for (;;) {
      if (taking.aborted) return;
      try {
        isAble = (await handler.able?.()) !== false;
        worker ??= await open();
        if (worker !== undefined && isAble) await takeOne(worker);
        complained = false;
        if (worker === undefined) await pause(ASK_AGAIN);
        else if (!isAble) await pause(ASK_ABLE);
      } catch (error) {
        if (!complained && !taking.aborted) log.warn({ err: error }, 'no part can be taken at present');
        complained = true;
        await pause(AGAIN);
      }
    }
  }

  const pause = (ms: number): Promise<unknown> => rest(ms, taking);

  async function open(): Promise<Worker | undefined> {
    const found = await handler.kind();
    if (found === null) return undefined;
    kind = found;
    const opened = new Worker(partQueue(found), null, {
      ...{ connection: options.blocking, prefix: bullPrefix(options), skipVersionCheck: true },
      ...{ autorun: false, skipStalledCheck: true, skipLockRenewal: true, drainDelay: HOLD },
      ...{
        lockDuration: leaseMs,
        stalledInterval: Math.round(leaseMs / 3),
        maxStalledCount: options.maxAttempts - 1,
      },
    });
    opened.on('error', () => undefined); // said by whoever called
    await opened.waitUntilReady();
    const backend = opened.getBackend();
    stalled = watchStalled({
      ...{ redis, log, every: leaseMs / 3, grace: leaseMs / 3 + AGAIN },
      stalledKey: opened.toKey('stalled'),
      checkKey: opened.toKey('stalled-check'),
      look: async () => void (await backend.moveStalledJobsToWait()),
    });
    await show();
    return opened;
  }

  /** That there is somebody who takes parts of this kind. */
  async function show(): Promise<void> {
    if (kind !== undefined && isAble && !taking.aborted)
      await redis.set(handsKey(options, kind), '1', 'PX', 2 * leaseMs);
  }

  async function takeOne(from: Worker): Promise<void> {
    spare ??= await slots.wait(PART_SLOTS, concurrency, taking);
    const slot = spare;
    if (slot === undefined) return;
    const token = `${options.owner} ${randomUUID()}`;
    const ticket = await from.getNextJob(token, { block: true });
    if (ticket === undefined) return;
    spare = undefined;
    const { data: part } = partSchema.safeParse(ticket.data);
    if (part === undefined) {
      log.error({ part: ticket.id }, 'a part that nobody can understand is dropped');
      await end(() => ticket.moveToCompleted(null, token, false));
      return slots.leave(slot);
    }
    const run: PartRun = { ticket, slot, token, part, controller: new AbortController() };
    if (taking.aborted) abort(run, 'handed_back');
    const work = perform(run).finally(() => runs.delete(run));
    runs.set(run, work);
  }

  async function perform(run: PartRun): Promise<void> {
    const { ticket, slot, token, part, controller } = run;
    const { signal } = controller;
    try {
      const failure = await attemptPart(run, handler, { ...options, isWanted });
      if (signal.aborted && why(signal) === 'lease_lost') return;
      // What it made lies there for nobody if the job ended meanwhile.
      if (await isEnded(part.job)) {
        await handler.discard(part.job);
        await forget(part.job);
      }
      if (signal.aborted && why(signal) === 'handed_back') await end(() => giveBack(run));
      else if (failure === undefined || signal.aborted)
        await end(() => ticket.moveToCompleted(null, token, false));
      else if (failure instanceof Error) await end(() => ticket.moveToFailed(failure, token, false));
      else await end(() => ticket.moveToDelayed(Date.now() + failure.pause, token));
    } catch (error) {
      log.warn({ err: error, job: part.job, part: part.name }, 'the end of a part could not be written');
    } finally {
      await slots.leave(slot);
    }
  }

  /** Writes an end again until it is written, or somebody else has the part. */
  async function end(write: () => Promise<unknown>): Promise<void> {
    for (;;) {
      try {
        await write();
        return;
      } catch (error) {
        // BullMQ's own answers have numbers: the part is not ours any more.
        if (typeof (error as { code?: unknown }).code === 'number' || closed.signal.aborted) return;
        if (!(unreachable(error) instanceof Problem)) throw error;
      }
      await rest(AGAIN, closed.signal);
    }
  }

  /** BullMQ wakes nobody for a part with a priority that is pushed back (pushBackJobWithPriority.lua). */
  async function wake(): Promise<void> {
    await redis.zadd(keyOf('marker'), 0, '0');
  }

  /** As the next of its priority. */
  async function giveBack({ ticket, token }: PartRun): Promise<void> {
    await ticket.moveToWait(token);
    await wake();
  }

  async function isEnded(jobId: string): Promise<boolean> {
    return options.read(jobId).then(isOver, () => false);
  }

  /** The mark of whoever shared parts of a job that has ended. */
  async function forget(jobId: string): Promise<void> {
    if (parents === undefined) {
      parents = new Queue(parentQueue(kind ?? ''), {
        ...{ connection: redis, prefix: bullPrefix(options), skipVersionCheck: true },
      });
      parents.on('error', () => undefined); // calls tell themselves
    }
    await parents.remove(jobId, { removeChildren: false });
  }

  /** Whoever shared it has not taken it back. */
  async function isWanted(jobId: string): Promise<boolean> {
    return (await redis.exists(bullKey(options, parentQueue(kind ?? ''), jobId))) === 1;
  }

  function check(jobId: string): void {
    for (const run of runs.keys()) if (run.part.job === jobId) void checkRun(run);
  }

  async function checkRun(run: PartRun): Promise<void> {
    try {
      if (isOver(await options.read(run.part.job)) || !(await isWanted(run.part.job)))
        abort(run, 'cancelled');
    } catch {
      // Redis is away: it goes on, and is looked at again.
    }
  }

  async function beat(): Promise<void> {
    try {
      await show();
      for (const run of [...runs.keys()]) {
        const { ticket, token, part } = run;
        const held = await locks.keep(ticket.id ?? '', token);
        if (!held && runs.has(run)) abort(run, 'lease_lost');
        check(part.job);
      }
    } catch {
      // Redis is away: what runs goes on.
    }
  }

  async function close(deadline: number): Promise<void> {
    stopping.abort();
    await within(Promise.all(runs.values()), Math.max(0, deadline - Date.now()));
    for (const run of runs.keys()) abort(run, 'handed_back');
    await within(Promise.all(runs.values()), GRACE);
    closed.abort();
    await worker?.close(true);
    await parents?.close();
    await within(loop, GRACE);
    await within(Promise.all(runs.values()), GRACE);
    clearInterval(heart);
    redis.off('ready', back);
    stalled?.[Symbol.dispose]();
    unsubscribe();
    if (spare !== undefined) await slots.leave(spare);
  }

  async function abandon(owner: string): Promise<void> {
    if (kind !== undefined) await release(keyOf(''), owner, options.maxAttempts);
  }

  return { check, abandon, close };
}

function abort({ controller }: PartRun, cause: AbortCause): void {
  controller.abort(new JobAborted(cause));
}

const why = (signal: AbortSignal): AbortCause => (signal.reason as JobAborted).why;
