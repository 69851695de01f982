// A machine whose clock is wrong is told so when its queue is opened.

import { afterEach, expect, it, vi } from 'vitest';
import { bullFleet } from './bullmq-fixture.ts';

const fleet = bullFleet();
afterEach(() => void vi.restoreAllMocks());

it.each([
  [60, [[{ secondsAhead: 60 }, expect.stringContaining('clock')]]],
  [-60, [[{ secondsAhead: -60 }, expect.stringContaining('clock')]]],
  [2, []],
])('%i seconds ahead of Redis', async (seconds, told) => {
  const real = Date.now;
  vi.spyOn(Date, 'now').mockImplementation(() => real() + seconds * 1000);
  const warn = vi.fn();
  await fleet.open({ log: { warn, error: warn } });
  expect(warn.mock.calls.filter(([fields]) => 'secondsAhead' in (fields as object))).toMatchObject(told);
});
