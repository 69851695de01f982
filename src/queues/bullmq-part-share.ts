// The side of a job that shares its work: adds the parts as children in a BullMQ flow, waits for them, stops them.

import { FlowProducer, Queue, QueueEvents } from 'bullmq';
import { setTimeout as delay } from 'node:timers/promises';
import { rest } from '../lib/pause.ts';
import { JobAborted, NoHelp } from '../contracts.ts';
import type { HintBus, JobContext, WorkPart } from '../contracts.ts';
import type { Job } from '../jobs/job.ts';
import { isAway, Problem, PROBLEMS } from '../problems.ts';
import type { ProblemDocument } from '../problems.ts';
import type { Redis } from '../redis/connection.ts';
import { unreachable } from '../redis/connection.ts';
import {
  bullKey,
  bullPrefix,
  handsKey,
  NO_HELP,
  parentQueue,
  partId,
  partQueue,
} from './bullmq-part-names.ts';
import { bullPriority } from './bullmq-tickets.ts';
import type { QueueLog } from './runner.ts';

export interface ShareOptions {
  /** `{mediamill}:`. */
  readonly prefix: string;
  /** For calls. */
  readonly redis: Redis;
  /** For BullMQ, whose calls may block. */
  readonly blocking: Redis;
  readonly leaseMs: number;
  /** Of each part. */
  readonly maxAttempts: number;
  readonly hints: HintBus;
  readonly log: QueueLog;
}

type Asked = Parameters<NonNullable<JobContext['share']>>[1];

/** Milliseconds before the second attempt at a part; each further one waits twice as long. */
const BACK_OFF = 1000;
/** So many looks in a row, a third of a lease apart, without anybody who takes parts: after an outage of Redis the first may be too early. */
const MISSES = 4;
/** Milliseconds between two tries to reach Redis. */
const AGAIN = 1000;

/** See `JobContext.share`. */
export async function sharePartsOf(
  { id: jobId, priority }: Pick<Job, 'id' | 'priority'>,
  parts: readonly WorkPart[],
  { kind, told, signal: own }: Asked,
  jobSignal: AbortSignal,
  options: ShareOptions,
): Promise<void> {
  const signal = own === undefined ? jobSignal : AbortSignal.any([jobSignal, own]);
  signal.throwIfAborted();
  const { redis, blocking, leaseMs, log } = options;
  const isThere = async (): Promise<boolean> => (await redis.exists(handsKey(options, kind))) === 1;
  const waiting = new Map(parts.map(({ name }) => [partId(jobId, name), name]));
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>();
  // Awaited below, where it may have rejected before.
  ended.catch(() => undefined);
  const done = (id: string): void => {
    const name = waiting.get(id);
    if (name === undefined) return;
    waiting.delete(id);
    told(name, 1, null);
    if (waiting.size === 0) resolve();
  };
  const stopped = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', stopped);

  await using stack = new AsyncDisposableStack();
  stack.defer(() => signal.removeEventListener('abort', stopped));
  const connection = { connection: blocking, prefix: bullPrefix(options), skipVersionCheck: true };
  const flow = stack.adopt(new FlowProducer(connection), (each) => each.close());
  const parents = stack.adopt(new Queue(parentQueue(kind), connection), (each) => each.close());
  // Calls tell themselves.
  flow.on('error', () => undefined);
  parents.on('error', () => undefined);
  // Where removing it fails, an empty one stays until the job shares parts again.
  const forget = (): Promise<unknown> =>
    parents.remove(jobId, { removeChildren: false }).catch(() => undefined);
  if (parts.length === 0) return void (await forget());

  await untilReached(signal, async () => {
    if (!(await isThere())) throw new NoHelp('no machine takes such parts');
  });
  const newest = await untilReached(signal, () =>
    newestOf(redis, bullKey(options, partQueue(kind), 'events')),
  );
  const events = new QueueEvents(partQueue(kind), { ...connection, autorun: false, lastEventId: newest });
  stack.adopt(events, (each) => each.close());
  events.on('error', () => undefined);
  events.on('completed', ({ jobId: id }) => done(id));
  // By whoever found that nobody wants it: the caller looks whether that was right.
  events.on('removed', ({ jobId: id }) => done(id));
  events.on('failed', ({ jobId: id, failedReason }) => {
    if (waiting.has(id)) reject(failureOf(failedReason));
  });
  events.on('progress', ({ jobId: id, data }) => {
    const name = waiting.get(id);
    const [progress, speed] = Array.isArray(data) ? (data as unknown[]) : [];
    if (name !== undefined && typeof progress === 'number')
      told(name, Math.min(progress, 0.999), typeof speed === 'number' ? speed : null);
  });
  const consuming = events
    .run()
    .catch((error: unknown) => log.warn({ err: error }, 'parts are not heard of'));
  stack.defer(async () => void consuming);

  let missed = 0;
  const looking = new AbortController();
  stack.defer(() => looking.abort());
  try {
    await untilReached(signal, () => flow.add(flowOf(jobId, parts, kind, { ...options, priority })));
    void lookNowAndThen(looking.signal, leaseMs / 3, async () => {
      for (const id of await gone(redis, [...waiting.keys()], (id) => bullKey(options, partQueue(kind), id)))
        done(id);
      missed = (await isThere()) ? 0 : missed + 1;
      if (missed >= MISSES) reject(new NoHelp('no machine takes such parts any more'));
    });
    await ended;
    await forget();
  } catch (error) {
    // Whoever goes on with the job joins what runs.
    const isLeft = error instanceof JobAborted && error.why !== 'cancelled';
    if (!isLeft) await stop(jobId, waiting, parents, kind, options);
    throw error;
  }
}

function flowOf(
  jobId: string,
  parts: readonly WorkPart[],
  kind: string,
  { maxAttempts, priority }: Pick<ShareOptions, 'maxAttempts'> & Pick<Job, 'priority'>,
): Parameters<FlowProducer['add']>[0] {
  return {
    name: 'shared',
    queueName: parentQueue(kind),
    opts: { jobId, removeOnComplete: true, removeOnFail: true },
    children: parts.map(({ name, task }) => ({
      name: 'part',
      queueName: partQueue(kind),
      data: { job: jobId, name, task },
      opts: {
        jobId: partId(jobId, name),
        priority: bullPriority(priority),
        attempts: maxAttempts,
        backoff: { type: 'exponential', delay: BACK_OFF },
        removeOnComplete: true,
        removeOnFail: true,
        removeDependencyOnFailure: true,
        stackTraceLimit: 0,
      },
    })),
  };
}

/** Takes back what waits, asks the machines to stop what runs, and waits until they have, for as long as a lease. */
async function stop(
  jobId: string,
  waiting: ReadonlyMap<string, string>,
  parents: Queue,
  kind: string,
  options: ShareOptions,
): Promise<void> {
  const { hints, leaseMs, log, redis } = options;
  try {
    const parent = await parents.getJob(jobId);
    await parent?.removeUnprocessedChildren();
    // Without it a running part knows that nobody wants it.
    await parents.remove(jobId, { removeChildren: false });
    hints.publish({ topic: 'cancel', id: jobId });
    const until = performance.now() + leaseMs;
    for (let left = [...waiting.keys()]; left.length > 0 && performance.now() < until; ) {
      const missing = new Set(await gone(redis, left, (id) => bullKey(options, partQueue(kind), id)));
      left = left.filter((id) => !missing.has(id));
      if (left.length > 0) await delay(Math.min(250, leaseMs / 10));
    }
  } catch (error) {
    // Those who work on them see at their next heartbeat that the job is over.
    log.warn({ err: error, job: jobId }, 'parts of a job could not be stopped');
  }
}

/** The id of a stream's newest entry. */
async function newestOf(redis: Redis, stream: string): Promise<string> {
  const [entry] = await redis.xrevrange(stream, '+', '-', 'COUNT', 1);
  return entry?.[0] ?? '0-0';
}

/** Those that are not there any more. */
async function gone(redis: Redis, ids: readonly string[], keyOf: (id: string) => string): Promise<string[]> {
  const pipeline = redis.pipeline();
  for (const id of ids) pipeline.exists(keyOf(id));
  const answers = (await pipeline.exec()) ?? [];
  return ids.filter((_, index) => answers[index]?.[0] === null && answers[index][1] === 0);
}

async function untilReached<T>(signal: AbortSignal, call: () => Promise<T>): Promise<T> {
  for (;;) {
    signal.throwIfAborted();
    try {
      return await call();
    } catch (error) {
      // BullMQ's own answers have numbers: they do not change by waiting.
      if (error instanceof NoHelp || typeof (error as { code?: unknown }).code === 'number') throw error;
      const known = unreachable(error);
      if (!isAway(known)) throw error;
      await rest(AGAIN, signal);
    }
  }
}

async function lookNowAndThen(signal: AbortSignal, pause: number, look: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    // Redis is away: the next look will tell.
    await look().catch(() => undefined);
    await rest(pause, signal);
  }
}

function failureOf(reason: string): Error {
  if (reason === NO_HELP) return new NoHelp('a machine would have made other bytes');
  try {
    const told = JSON.parse(reason) as ProblemDocument;
    // A machine of another version may know more of them.
    if (Object.hasOwn(PROBLEMS, told.code)) return Problem.fromDocument(told);
  } catch {
    // It is not one of ours.
  }
  return new Problem('internal_error', 'A part of this job failed.', { cause: reason });
}
