// One attempt at a job in this process: how it is stopped, and what its failure means.

import { JobAborted, Reroute } from '../contracts.ts';
import type { AbortCause, JobHandler } from '../contracts.ts';
import type { Job, JobAction } from '../jobs/job.ts';
import { Problem } from '../problems.ts';
import type { Claim, Standing } from './ledger.ts';
import type { ProgressThrottle } from './progress-throttle.ts';

export interface Attempt<C extends Claim> {
  readonly claim: C;
  readonly handler: JobHandler;
  readonly controller: AbortController;
  readonly progress: ProgressThrottle;
  /** Its handler has returned or thrown. */
  returned: boolean;
  /** Given back although its handler has not returned: whatever comes of it is dropped. */
  givenUp: boolean;
}

export function abort(attempt: Attempt<Claim>, why: AbortCause): void {
  // The first reason stays: an aborted signal does not change.
  if (!attempt.returned) attempt.controller.abort(new JobAborted(why));
}

/** Stops an attempt that is cancelled, or is not ours any more. */
export function heed(attempt: Attempt<Claim>, standing: Standing | undefined): void {
  if (standing === 'lost') abort(attempt, 'lease_lost');
  if (standing === 'cancelled') abort(attempt, 'cancelled');
}

/** What a thrown error makes of the job; undefined if the job is not ours any more. */
export function meaningOf(error: unknown, signal: AbortSignal): JobAction | undefined {
  if (signal.aborted) {
    // Whatever it threw, it threw while being stopped.
    const { why } = signal.reason as JobAborted;
    if (why === 'lease_lost') return undefined;
    return { type: why === 'cancelled' ? 'cancelled' : 'hand_back' };
  }
  if (error instanceof Reroute) return { type: 'move', lane: error.lane };
  const problem = Problem.from(error);
  const { retryJob = false, jobWaits = false } = problem.kind;
  return { type: jobWaits ? 'set_back' : 'fail', problem: problem.toDocument(), retry: retryJob };
}

type Say = (fields: object, message: string) => void;

/** What is not the job's own fault is told to whoever runs the server. */
export function complain(
  log: { readonly warn: Say; readonly error: Say },
  { id }: Pick<Job, 'id'>,
  action: JobAction | undefined,
  err: unknown,
): void {
  if (action?.type === 'set_back') log.warn({ err, job: id }, 'nothing can be done for a job now: it waits');
  if (action?.type === 'fail' && action.problem.status >= 500)
    log.error({ err, job: id }, 'an attempt failed');
}
