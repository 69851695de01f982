// Attempts of jobs, counted by how they end.

import { beforeEach, expect, it } from 'vitest';
import { JobAborted, Reroute } from '../../src/contracts.ts';
import type { JobContext, JobHandler } from '../../src/contracts.ts';
import { newJob } from '../../src/jobs/job.ts';
import type { Job } from '../../src/jobs/job.ts';
import { meteredHandler } from '../../src/metrics/metered-handler.ts';
import { createMetrics } from '../../src/metrics/metrics.ts';
import { Problem } from '../../src/problems.ts';
import { aJob, aResult } from '../contracts/queue-jobs.ts';

let metrics: ReturnType<typeof createMetrics>;
let now: number;
beforeEach(() => {
  metrics = createMetrics();
  now = 1_000_000;
});

const job = (changes: Partial<Job> = {}): Job => ({ ...newJob(aJob(), now - 3000), attempt: 1, ...changes });

/** A handler whose attempts take two seconds and end so. */
function metered(end: () => ReturnType<JobHandler['run']>): JobHandler {
  const handler: JobHandler = {
    run() {
      now += 2000;
      return end();
    },
    discard: async () => undefined,
    settled: async () => undefined,
  };
  return meteredHandler(handler, 'video', metrics, () => now);
}

const context = (signal = new AbortController().signal): JobContext => ({
  signal,
  progress: () => undefined,
});
const sums = (name: 'jobWaitSeconds' | 'jobRunSeconds'): Record<string, number> =>
  Object.fromEntries(
    metrics[name]
      .snapshot()
      .values.filter(({ metricName }) => metricName?.endsWith('_sum'))
      .map(({ labels, value }) => [Object.values(labels).join(' '), value]),
  );

it('waited and ran', async () => {
  await metered(async () => aResult()).run(job(), context());
  expect(sums('jobWaitSeconds')).toEqual({ video: 3 });
  expect(sums('jobRunSeconds')).toEqual({ 'video succeeded': 2 });
  expect(metrics.jobRetries.total()).toBe(0);
});

it('a later attempt is a retry, and has not waited', async () => {
  await metered(async () => aResult()).run(job({ attempt: 2 }), context());
  expect(sums('jobWaitSeconds')).toEqual({});
  expect(metrics.jobRetries.total()).toBe(1);
});

it.each([
  ['failed', new Problem('encode_failed', 'no'), false],
  ['moved', new Reroute('film'), false],
  ['stopped', new JobAborted('cancelled'), false],
  ['stopped', new Error('whatever it threw when it was told'), true],
] as const)('%s', async (outcome, error, aborts) => {
  const controller = new AbortController();
  if (aborts) controller.abort();
  const attempt = metered(() => Promise.reject(error)).run(job(), context(controller.signal));
  await expect(attempt).rejects.toBe(error);
  expect(sums('jobRunSeconds')).toEqual({ [`video ${outcome}`]: 2 });
});

it('ended for good, and by which problem', async () => {
  const handler = metered(async () => aResult());
  await handler.settled(job({ status: 'succeeded' }));
  await handler.settled(
    job({ status: 'failed', problem: new Problem('attempts_exhausted', 'thrice').toDocument() }),
  );
  await handler.settled(job({ status: 'running' }));
  const told = metrics.jobsEnded.snapshot().values.filter(({ value }) => value > 0);
  expect(told.map(({ labels }) => labels['outcome'])).toEqual(['succeeded', 'failed', 'removed']);
  expect(metrics.jobsFailed.snapshot().values).toEqual([
    { labels: { lane: 'video', code: 'attempts_exhausted' }, value: 1 },
  ]);
});
