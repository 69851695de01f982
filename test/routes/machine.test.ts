// GET /v1/machine without a primary: what this process knows by itself.

import { expect, it } from 'vitest';
import { LANES } from '../../src/jobs/job.ts';
import { startTestServer } from '../support/server.ts';

it('answers at once how things stand', async () => {
  await using server = await startTestServer({ PROCESSES: '1', VIDEO_SLOTS: '2', FILM_SLOTS: '1' });
  const response = await server.request('/v1/machine');
  expect(response.status).toBe(200);
  expect(response.headers.get('cache-control')).toBe('no-store');
  const view = (await response.json()) as { samples: Record<string, unknown>[] };
  expect(view).toMatchObject({ processes: 1, cores: expect.any(Number) });
  expect(view.samples.length).toBeGreaterThanOrEqual(1);
  const none = Object.fromEntries(LANES.map((lane) => [lane, 0]));
  expect(view.samples[0]).toMatchObject({
    requestsPerSecond: 0,
    p50Ms: null,
    queued: none,
    running: none,
    threads: 1,
    threadsBusy: 0,
    ffmpegSlots: 3,
  });
  expect(view.samples[0]?.['rssBytes']).toBeGreaterThan(10_000_000);
});
