// Says in the log when jobs begin and end, by the trace that they belong to.

import { JobAborted, Reroute } from '../contracts.ts';
import type { JobHandler } from '../contracts.ts';
import { parseTraceParent } from '../lib/trace-context.ts';
import type { Logger } from '../logger.ts';
import { Problem } from '../problems.ts';
import { isFinished } from './job.ts';
import type { Job } from './job.ts';

export function logged(handler: JobHandler, log: Pick<Logger, 'info'>): JobHandler {
  return {
    async run(job, context) {
      const facts = factsOf(job);
      const begun = performance.now();
      log.info(facts, 'job begun');
      try {
        return await handler.run(job, context);
      } catch (error) {
        const { signal } = context;
        const reason = reasonOf(signal.aborted ? signal.reason : error);
        const seconds = Math.round(performance.now() - begun) / 1000;
        log.info({ ...facts, seconds, reason }, 'attempt given up');
        throw error;
      }
    },
    discard: (job) => handler.discard(job),
    async settled(job) {
      const { startedAt, finishedAt, problem } = job;
      log.info(
        {
          ...factsOf(job),
          // One that was removed while it ran has no end of its own.
          status: isFinished(job) ? job.status : 'removed',
          seconds: startedAt === null || finishedAt === null ? null : (finishedAt - startedAt) / 1000,
          ...(problem !== null && { code: problem.code }),
        },
        'job ended',
      );
      await handler.settled(job);
    },
  };
}

function factsOf({ id, trace, lane, attempt }: Job): object {
  const parent = parseTraceParent(trace);
  return { jobId: id, ...(parent !== undefined && { traceId: parent.traceId }), lane, attempt };
}

function reasonOf(error: unknown): string {
  if (error instanceof JobAborted) return error.why;
  return error instanceof Reroute ? `belongs into the lane ${error.lane}` : Problem.from(error).code;
}
