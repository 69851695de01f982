// What every queue makes of a change of a job: which events tell of it, and how long a failed one waits.

import type { JobEvent } from '../contracts.ts';
import type { Job, JobAction } from '../jobs/job.ts';

/** Milliseconds until the second attempt of a failed job; doubles with each further one, up to the last. */
const FIRST_RETRY = 1000;
const LAST_RETRY = 60_000;

/** The same of one that was set back; what was in its way is seldom gone after a second. */
const FIRST_RETURN = 5000;
/** Setbacks, about the first eight minutes of them, after which the pause doubles anew: what lasts so long may last all day. */
const OFTEN = 10;
const LAST_RETURN = 900_000;

/**
 * Milliseconds that a job waits that an action has put back. Only after a failure and a setback: what was given back, moved
 * or lost is paced by that already.
 */
export function pauseAfter(action: JobAction, before: Job, after: Job): number {
  if (after.status !== 'queued' || (action.type !== 'fail' && action.type !== 'set_back')) return 0;
  const times = after.attempt < before.attempt ? after.setbacks?.times : undefined;
  return times === undefined ? growing(FIRST_RETRY, before.attempt, LAST_RETRY) : setbackPause(times);
}

/**
 * Milliseconds that work waits that was set back for so many times. Each try may cost as much as a whole source that is
 * fetched, and a day has many minutes.
 */
export function setbackPause(times: number): number {
  if (times <= OFTEN) return growing(FIRST_RETURN, times, LAST_RETRY);
  return growing(2 * LAST_RETRY, times - OFTEN, LAST_RETURN);
}

function growing(first: number, times: number, last: number): number {
  return Math.min(first * 2 ** (times - 1), last);
}

export interface Told {
  readonly type: JobEvent['type'];
  readonly output?: string;
}

/** The events of a change, in their order: outputs that are finished come before what says that the job is. */
export function eventsOf(before: Job, after: Job): readonly Told[] {
  // The last ones may be told only by the end, which they come before.
  const finished = after.status === 'succeeded' ? after.results : after.ready;
  const outputs = Object.keys(finished ?? {}).filter((output) => before.ready?.[output] === undefined);
  return [...outputs.map((output) => ({ type: 'output' as const, output })), { type: typeOf(before, after) }];
}

function typeOf(before: Job, after: Job): JobEvent['type'] {
  // Also a cancel that was asked for and not yet obeyed: the job shows it.
  if (after.status === before.status) return 'progress';
  if (after.status === 'running') return 'started';
  if (after.status === 'queued') return after.attempt < before.attempt ? 'queued' : 'retrying';
  return after.status;
}
