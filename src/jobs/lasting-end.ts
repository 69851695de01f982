// Waits until the end of a job lasts: a Redis that crashes may forget its last seconds, and then the job runs again.

import { rest } from '../lib/pause.ts';
import type { JobQueue } from '../contracts.ts';
import { Problem } from '../problems.ts';
import { isFinished } from './job.ts';
import type { Job } from './job.ts';

interface LastingEndOptions {
  readonly queue: Pick<JobQueue, 'get'>;
  /** Aborted when the process begins to leave: then the wait is short. */
  readonly leaving: AbortSignal;
  /** For tests: resolves after so many milliseconds, or when the signal aborts. */
  readonly pause?: (milliseconds: number, signal?: AbortSignal) => Promise<unknown>;
}

/**
 * Milliseconds after which what was written is on Redis' disk: `appendfsync everysec` syncs each second, and waits for a busy
 * disk one more. https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/
 */
const SYNCED_AFTER = 3000;
/** For whoever leaves, and is waited for. */
const SYNCED_ALMOST = 1200;
/** Between two questions to a Redis that is away. */
const ASK_AGAIN = 1000;

/**
 * Resolves when the end of a job that has ended, or was removed, is kept for good: whether it is. False: it was forgotten, and
 * what the job is made of is needed again; or that could not be asked before the process left, and the sweeper clears up.
 */
export function lastingEnd({
  queue,
  leaving,
  pause = rest,
}: LastingEndOptions): (job: Pick<Job, 'id'>) => Promise<boolean> {
  return async ({ id }) => {
    if (!leaving.aborted) await pause(SYNCED_AFTER, leaving);
    if (leaving.aborted) await pause(SYNCED_ALMOST);
    for (;;) {
      try {
        const job = await queue.get(id);
        return job === undefined || isFinished(job);
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        if (leaving.aborted) return false;
      }
      await pause(ASK_AGAIN, leaving);
    }
  };
}
