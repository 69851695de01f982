import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { nowAndThen } from '../../src/lib/now-and-then.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('works after half of the pause at the soonest and the whole at the latest, and again after each time', async () => {
  let times = 0;
  const turns = nowAndThen(1000, async () => void times++);
  await vi.advanceTimersByTimeAsync(499);
  expect(times).toBe(0);
  await vi.advanceTimersByTimeAsync(501);
  expect(times).toBeGreaterThanOrEqual(1);
  await vi.advanceTimersByTimeAsync(9000);
  expect(times).toBeGreaterThanOrEqual(10);
  expect(times).toBeLessThanOrEqual(20);
  await turns.close();
});

it('never works twice at once; closing tells what runs, waits for it, and ends all', async () => {
  const end = Promise.withResolvers<void>();
  let times = 0;
  let wasClosed = false;
  const turns = nowAndThen(1000, async (isClosed) => {
    times++;
    await end.promise;
    wasClosed = isClosed();
  });
  await vi.advanceTimersByTimeAsync(10_000);
  expect(times).toBe(1);
  let closed = false;
  const closing = turns.close().then(() => void (closed = true));
  await vi.advanceTimersByTimeAsync(10_000);
  expect(closed).toBe(false);
  end.resolve();
  await closing;
  expect(wasClosed).toBe(true);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(times).toBe(1);
  expect(vi.getTimerCount()).toBe(0);
});
