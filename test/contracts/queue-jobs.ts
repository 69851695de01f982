// Jobs, handlers and waiting for the tests of queues.

import type {
  EventsWanted,
  JobContext,
  JobEvent,
  JobHandler,
  JobQueue,
  JobResult,
} from '../../src/contracts.ts';
import { DEFAULT_TENANT } from '../../src/jobs/job.ts';
import type { Job, NewJob } from '../../src/jobs/job.ts';
import { newId } from '../../src/lib/id.ts';

let time = Date.now();

/** A job to be added; a later one has a higher id. */
export function aJob(changes: Partial<NewJob> = {}): NewJob {
  const id = changes.id ?? newId(time++);
  return {
    id,
    tenant: DEFAULT_TENANT,
    lane: 'image',
    source: {
      key: `sources/${id}`,
      name: 'photo.jpg',
      mediaType: 'image/jpeg',
      bytes: 1234,
      width: null,
      height: null,
      durationSeconds: null,
    },
    recipe: { outputs: {} },
    ...changes,
  };
}

/** What an attempt leaves behind; `mark` tells results apart. */
export function aResult(mark = 'result'): JobResult {
  const output = {
    mediaType: 'image/webp',
    bytes: 1,
    width: 1,
    height: 1,
    durationSeconds: null,
    decisions: [],
    key: mark,
  };
  return { outputs: { small: output }, warnings: [] };
}

export interface RecordingHandler extends JobHandler {
  readonly started: readonly Job[];
  readonly discarded: readonly Job[];
  readonly ended: readonly Job[];
}

/** A handler that notes what is asked of it. */
export function handler(
  run: (job: Job, context: JobContext) => JobResult | Promise<JobResult> = () => aResult(),
): RecordingHandler {
  const started: Job[] = [];
  const discarded: Job[] = [];
  const ended: Job[] = [];
  return {
    started,
    discarded,
    ended,
    async run(job, context) {
      started.push(job);
      return run(job, context);
    },
    async discard(job) {
      discarded.push(job);
    },
    async settled(job) {
      ended.push(job);
    },
  };
}

/** The same, but its process takes no second job: not its own either, when it looks as if that were a dead one's. */
export function takingOne(work: RecordingHandler): RecordingHandler {
  return { ...work, able: async () => work.started.length === 0 };
}

/** Ends no job before so many run at once: fewer would be a bound too low. `most` tells how many ever did. */
export function filling(places: number): { readonly work: RecordingHandler; readonly most: () => number } {
  let running = 0;
  let most = 0;
  const full = Promise.withResolvers<void>();
  const work = handler(async () => {
    running++;
    most = Math.max(most, running);
    if (running === places) full.resolve();
    await full.promise;
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    running--;
    return aResult();
  });
  return { work, most: () => most };
}

/** Works until it is stopped, then throws why. */
export function untilAborted(_: Job, { signal }: JobContext): Promise<never> {
  return new Promise((_resolve, reject) => {
    const stop = (): void => reject(signal.reason as Error);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop);
  });
}

/** The job once it is as wanted, or undefined once it is gone. */
export async function until(
  queue: JobQueue,
  id: string,
  wanted: (job: Job) => boolean,
): Promise<Job | undefined> {
  const seen = new AbortController();
  const signal = AbortSignal.any([seen.signal, AbortSignal.timeout(20_000)]);
  // From now on: before the look, so that what happens during it is not missed.
  const events = queue.events({ of: { jobId: id }, signal })[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = events.next();
      const job = await queue.get(id);
      if (job === undefined || wanted(job)) return job;
      if ((await next).done === true)
        throw new Error(`the job did not become as wanted: ${JSON.stringify(job)}`);
    }
  } finally {
    seen.abort();
  }
}

export function untilStatus(queue: JobQueue, id: string, status: Job['status']): Promise<Job | undefined> {
  return until(queue, id, (job) => job.status === status);
}

/** Resolves once a condition that no event tells of holds; looks at every turn of the event loop. */
export async function eventually(condition: () => boolean): Promise<void> {
  const signal = AbortSignal.timeout(20_000);
  while (!condition()) {
    if (signal.aborted) throw new Error(`never came true: ${condition.toString()}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Events up to and with the first that is the last one wanted, and none of them lost. */
export async function eventsUntil(
  queue: JobQueue,
  options: Omit<EventsWanted, 'signal'>,
  last: (event: JobEvent) => boolean,
): Promise<JobEvent[]> {
  const seen: JobEvent[] = [];
  const signal = AbortSignal.timeout(20_000);
  for await (const event of queue.events({ ...options, signal })) {
    if (event.type === 'lost') throw new Error(`events were lost before ${event.sequence}`);
    seen.push(event);
    if (last(event)) return seen;
  }
  throw new Error(`the last event never came; seen: ${JSON.stringify(seen)}`);
}
