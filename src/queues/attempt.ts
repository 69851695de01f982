// One attempt at a job in this process: how it is stopped, and what its failure means.

import { JobAborted, Reroute } from '../contracts.ts';
import type { AbortCause, JobHandler } from '../contracts.ts';
import type { JobAction } from '../jobs/job.ts';
import { Problem } from '../problems.ts';
import type { ProgressThrottle } from './progress-throttle.ts';
import type { Claim } from './sqlite-ledger.ts';

export interface Attempt extends Claim {
  readonly handler: JobHandler;
  readonly controller: AbortController;
  readonly progress: ProgressThrottle;
  /** Its handler has returned or thrown. */
  returned: boolean;
  /** Given back although its handler has not returned: whatever comes of it is dropped. */
  givenUp: boolean;
}

export function abort(attempt: Attempt, why: AbortCause): void {
  // The first reason stays: an aborted signal does not change.
  if (!attempt.returned) attempt.controller.abort(new JobAborted(why));
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
  return { type: 'fail', problem: problem.toDocument(), retry: problem.kind.retryJob === true };
}
