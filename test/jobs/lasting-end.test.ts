// The source of a job is kept until its end lasts: a Redis that comes back without its last second runs the job again.

import { expect, it } from 'vitest';
import type { BlobStore } from '../../src/contracts.ts';
import { advance, newJob } from '../../src/jobs/job.ts';
import type { Job } from '../../src/jobs/job.ts';
import { lastingEnd } from '../../src/jobs/lasting-end.ts';
import { recipeSchema } from '../../src/jobs/recipe.ts';
import { jobHandlers } from '../../src/jobs/runner.ts';
import type { RunnerOptions } from '../../src/jobs/runner.ts';
import { Problem } from '../../src/problems.ts';

const POLICY = { maxAttempts: 3, ttlSeconds: 60 };
const facts = { name: null, mediaType: 'image/png', bytes: 1, width: null, height: null };
const source = { key: 'sources/a', ...facts, durationSeconds: null };
const recipe = recipeSchema.parse({ outputs: { a: { type: 'image' } } });
const running = advance(
  newJob({ id: 'a', tenant: 'default', lane: 'image', source, recipe }, 1),
  { type: 'start' },
  2,
  POLICY,
);
const ended = advance(running, { type: 'succeed', results: {}, warnings: [] }, 3, POLICY);

/** A handler whose job has ended; `answers` are what the queue says, `pauses` those that it makes. */
function settling(answers: (Job | undefined | 'away' | 'leave')[]) {
  const deleted: string[] = [];
  const pauses: number[] = [];
  const leaving = new AbortController();
  const store = {
    delete: async (key: string) => void deleted.push(key),
    list: async function* () {},
  } as Partial<BlobStore> as BlobStore;
  const lasts = lastingEnd({
    queue: {
      async get() {
        // Nothing is deleted before it was asked.
        expect(deleted).toEqual([]);
        const answer = answers.shift();
        if (answer === 'leave') leaving.abort();
        if (answer === 'away' || answer === 'leave')
          throw new Problem('backend_unavailable', 'Redis is away.');
        return answer;
      },
    },
    leaving: leaving.signal,
    pause: async (milliseconds) => void pauses.push(milliseconds),
  });
  const { image } = jobHandlers({ store, lasts } as Partial<RunnerOptions> as RunnerOptions);
  return { deleted, pauses, leaving, settled: image.settled(ended) };
}

it('is deleted when the end is on the disk', async () => {
  const { deleted, pauses, settled } = settling([ended]);
  await settled;
  expect(deleted).toEqual(['sources/a']);
  expect(pauses).toEqual([3000]);
});

it('is deleted when the job is removed', async () => {
  const { deleted, settled } = settling([undefined]);
  await settled;
  expect(deleted).toEqual(['sources/a']);
});

it('is kept where the end was forgotten', async () => {
  const { deleted, settled } = settling([running]);
  await settled;
  expect(deleted).toEqual([]);
});

it('waits for a queue that is away', async () => {
  const { deleted, settled } = settling(['away', 'away', ended]);
  await settled;
  expect(deleted).toEqual(['sources/a']);
});

it('is left to the sweeper where the queue is away when the process leaves', async () => {
  const { deleted, settled } = settling(['away', 'leave']);
  await settled;
  expect(deleted).toEqual([]);
});

it('is waited for less by a process that leaves', async () => {
  const leaving = new AbortController();
  leaving.abort();
  const pauses: number[] = [];
  const lasts = lastingEnd({
    queue: { get: async () => ended },
    leaving: leaving.signal,
    pause: async (milliseconds) => void pauses.push(milliseconds),
  });
  expect(await lasts(ended)).toBe(true);
  expect(pauses).toEqual([1200]);
});
