import { expect, it } from 'vitest';
import { advance, newJob } from '../../src/jobs/job.ts';
import type { Job, JobAction } from '../../src/jobs/job.ts';
import { Problem } from '../../src/problems.ts';
import { pauseAfter } from '../../src/queues/changes.ts';

const POLICY = { maxAttempts: 100, ttlSeconds: 60 };
const SOURCE = { key: 'sources/a', name: null, mediaType: null, bytes: null };
const problem = new Problem('backend_unavailable', 'away').toDocument();

/** The pauses after an action that comes again and again. */
function pauses(action: JobAction, times: number): number[] {
  const source = { ...SOURCE, width: null, height: null, durationSeconds: null };
  let job = newJob({ id: 'a', tenant: 'default', lane: 'image', source, recipe: { outputs: {} } }, 0);
  return Array.from({ length: times }, () => {
    const before: Job = advance(job, { type: 'start' }, 0, POLICY);
    job = advance(before, action, 0, POLICY);
    return pauseAfter(action, before, job) / 1000;
  });
}

it.each([
  ['a failure', { type: 'fail', problem, retry: true }, [1, 2, 4, 8, 16, 32, 60, 60]],
  [
    'a setback',
    { type: 'set_back', problem, retry: true },
    [5, 10, 20, 40, 60, 60, 60, 60, 60, 60, 120, 240, 480, 900, 900],
  ],
  ['giving back', { type: 'hand_back' }, [0, 0, 0]],
  ['a move', { type: 'move', lane: 'film' }, [0, 0, 0]],
  ['a death', { type: 'interrupt' }, [0, 0, 0]],
] as const)('after %s a job waits for so many seconds', (_what, action, wanted) => {
  expect(pauses(action, wanted.length)).toEqual(wanted);
});

it('a setback that comes after a day waits as a failure does', () => {
  const setBack: JobAction = { type: 'set_back', problem, retry: true };
  const [day, before] = [86_400_000, { since: 0, times: 500 }];
  const source = { ...SOURCE, width: null, height: null, durationSeconds: null };
  const queued = newJob({ id: 'a', tenant: 'default', lane: 'image', source, recipe: { outputs: {} } }, 0);
  const running = advance({ ...queued, setbacks: before }, { type: 'start' }, day, POLICY);
  const after = advance(running, setBack, day, POLICY);
  expect(after).toMatchObject({ status: 'queued', attempt: 1 });
  expect(pauseAfter(setBack, running, after)).toBe(1000);
});
