// A job handler that counts its attempts: how long jobs waited and ran, and how they ended.

import { JobAborted, Reroute } from '../contracts.ts';
import type { JobHandler } from '../contracts.ts';
import { isFinished } from '../jobs/job.ts';
import type { Lane } from '../jobs/job.ts';
import type { Metrics } from './metrics.ts';

type JobMetrics = Pick<
  Metrics,
  'jobWaitSeconds' | 'jobRunSeconds' | 'jobRetries' | 'jobsEnded' | 'jobsFailed'
>;

/** `now` in milliseconds since 1970. */
export function meteredHandler(
  handler: JobHandler,
  lane: Lane,
  metrics: JobMetrics,
  now: () => number = Date.now,
): JobHandler {
  return {
    async run(job, context) {
      const begunAt = now();
      if (job.attempt > 1) metrics.jobRetries.add(1, lane);
      else metrics.jobWaitSeconds.observe(Math.max(0, begunAt - job.createdAt) / 1000, lane);
      let outcome = 'succeeded';
      try {
        return await handler.run(job, context);
      } catch (error) {
        outcome = context.signal.aborted || error instanceof JobAborted ? 'stopped' : 'failed';
        if (error instanceof Reroute) outcome = 'moved';
        throw error;
      } finally {
        metrics.jobRunSeconds.observe(Math.max(0, now() - begunAt) / 1000, lane, outcome);
      }
    },
    discard: (job) => handler.discard(job),
    async settled(job) {
      // One that was removed while it ran is settled as it was.
      metrics.jobsEnded.add(1, lane, isFinished(job) ? job.status : 'removed');
      if (job.problem !== null) metrics.jobsFailed.add(1, lane, job.problem.code);
      await handler.settled(job);
    },
  };
}
