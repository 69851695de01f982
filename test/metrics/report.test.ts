// What a process tells of the queue, as an autoscaler reads it.

import { expect, it } from 'vitest';
import type { JobQueue, LaneStanding } from '../../src/contracts.ts';
import type { JobStatus } from '../../src/jobs/job.ts';
import { createMeter } from '../../src/metrics/meter.ts';

const idle: LaneStanding = { waiting: 0, running: 0, oldestSince: null };
const none: Record<JobStatus, number> = { queued: 0, running: 0, succeeded: 0, failed: 0, cancelled: 0 };

/** What is told of the lane of parts: `[name, value, other labels]`. */
async function toldOfParts(parts?: NonNullable<JobQueue['parts']>) {
  const report = await createMeter().report(
    {
      queue: {
        counts: async () => none,
        lanes: async () => ({ image: idle, video: idle, film: idle, fetch: idle }),
        ...(parts && { parts }),
      },
      store: { free: async () => 1 },
      images: { load: () => ({ running: 0, waiting: 0, threads: 1 }) },
      slots: { image: 1, video: 1, film: 1, fetch: 1, chunk: 2 },
      readiness: () => Promise.reject(new Error('not asked')),
      version: '1.0.0',
      now: () => 10_000,
    },
    false,
  );
  return (await report.metrics())
    .filter(({ name }) => /^mediamill_lane_(?:jobs|oldest)/.test(name))
    .flatMap(({ name, values }) => values.map(({ labels, value }) => ({ name, labels, value })))
    .filter(({ labels }) => labels['lane'] === 'chunk')
    .map(({ name, labels, value }) => [name, value, labels['state']]);
}

it('tells how many parts wait and run, and for how long, as of a lane', async () => {
  expect(await toldOfParts(async () => ({ waiting: 3, running: 2, oldestSince: 4000 }))).toEqual([
    ['mediamill_lane_jobs', 3, 'waiting'],
    ['mediamill_lane_jobs', 2, 'running'],
    ['mediamill_lane_oldest_waiting_seconds', 6, undefined],
  ]);
});

it.each([
  ['where this machine takes none', async () => null],
  ['where Redis is away', () => Promise.reject(new Error('away'))],
  ['where the queue has none', undefined],
])('tells nothing of parts %s', async (_, parts) => {
  expect(await toldOfParts(parts)).toEqual([]);
});
