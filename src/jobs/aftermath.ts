// What is owed when a job has ended: its webhooks and its account. At once by the process that ended it, and from time to time for those that could not.

import type { JobHandler, JobQueue } from '../contracts.ts';
import { isFinished } from './job.ts';
import type { Job } from './job.ts';

export interface AftermathOptions {
  readonly queue: Pick<JobQueue, 'get' | 'endings' | 'acknowledge'>;
  /** Writes down whom to tell. Called again after a crash. */
  readonly tell: (job: Job) => Promise<void>;
  /** Puts a job of sound or video, or of a source that was fetched, on its tenant's account. Called again after a crash, and where it failed: it must count once. */
  readonly charge?: ((job: Job) => Promise<void>) | undefined;
  readonly onError: (error: unknown) => void;
  /** Milliseconds since 1970, as the queue counts them. */
  readonly now: () => number;
  /** Milliseconds between looks for what was left over; each waits between half and the whole of it. */
  readonly everyMs?: number;
}

export interface Aftermath {
  /** The handler, and what is owed as soon as a job of it has ended. */
  after(handler: JobHandler): JobHandler;
  /** Does what is owed for those of these jobs that have ended, as far as it was not done. To be asked before they are removed. */
  workOff(jobs: readonly Job[]): Promise<void>;
  /** The same for one that ended just now and is not in the queue any more. */
  settleUp(job: Job): Promise<void>;
  /** Does what is owed for jobs that ended more than `everyMs` ago. Resolves with their number. */
  catchUp(): Promise<number>;
  /** Breaks off between two jobs. */
  close(): Promise<void>;
}

const BATCH = 100;

/** Looks for what was left over from now on, until closed. */
export function startAftermath(options: AftermathOptions): Aftermath {
  const { queue, tell, charge, onError, now, everyMs = 5000 } = options;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<unknown> = Promise.resolve();

  async function settleUp(job: Job): Promise<void> {
    await tell(job);
    // Only what takes time, or was fetched, is paid for: nothing more is written for a picture that was sent.
    if (charge !== undefined && (job.source.durationSeconds !== null || job.source.url !== undefined)) {
      await charge(job);
    }
    await queue.acknowledge(job.id);
  }

  async function ended(job: Job): Promise<void> {
    // Removed ones are settled too, maybe long after their end: then all was done before.
    if (!isFinished(job) || (await queue.get(job.id)) === undefined) return;
    await settleUp(job);
  }

  async function workOff(jobs: readonly Job[]): Promise<void> {
    const asked = new Set(jobs.filter(isFinished).map(({ id }) => id));
    if (asked.size === 0) return;
    // Almost always there are a handful. Only those noted: after 30 days nobody could tell any more that it was done.
    for (let limit = BATCH; ; limit *= 2) {
      const open = await queue.endings(Number.MAX_SAFE_INTEGER, limit);
      const found = open.filter(({ id }) => asked.has(id));
      if (open.length < limit || found.length === asked.size) {
        for (const job of found) await settleUp(job);
        return;
      }
    }
  }

  async function catchUp(): Promise<number> {
    const failed = new Set<string>();
    let done = 0;
    let first: unknown;
    for (;;) {
      // Past those that cannot be done now, in steps that double: each is read about twice in all.
      const limit = Math.max(BATCH, 2 * failed.size);
      const open = await queue.endings(now() - everyMs, limit);
      for (const job of open.filter(({ id }) => !failed.has(id))) {
        if (closed) return done;
        try {
          await settleUp(job);
          done++;
        } catch (error) {
          failed.add(job.id);
          first ??= error;
        }
      }
      if (open.length < limit) break;
    }
    if (failed.size > 0) onError(new Error(`${failed.size} ended jobs are left for later`, { cause: first }));
    return done;
  }

  function begin(): void {
    running = catchUp()
      .catch(onError)
      .finally(() => {
        if (!closed) timer = setTimeout(begin, everyMs * (0.5 + Math.random() / 2));
      });
  }
  begin();

  return {
    after: (handler) => ({
      run: (job, context) => handler.run(job, context),
      discard: (job) => handler.discard(job),
      async settled(job) {
        await Promise.all([handler.settled(job), ended(job)]);
      },
    }),
    workOff,
    settleUp,
    catchUp,
    async close() {
      closed = true;
      clearTimeout(timer);
      await running;
    },
  };
}
