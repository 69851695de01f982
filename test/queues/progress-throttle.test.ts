import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { ProgressUpdate } from '../../src/jobs/job.ts';
import { ProgressThrottle } from '../../src/queues/progress-throttle.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function recording(write: () => Promise<void> = async () => undefined) {
  const written: ProgressUpdate[] = [];
  const throttle = new ProgressThrottle((update) => {
    written.push(update);
    return write();
  });
  return { throttle, written };
}

it('writes the first at once, then four times a second, and never drops the last', async () => {
  const { throttle, written } = recording();
  throttle.push({ progress: 0.001 });
  expect(written).toEqual([{ progress: 0.001 }]);
  for (let i = 2; i <= 100; i++) {
    await vi.advanceTimersByTimeAsync(10);
    throttle.push({ progress: i / 1000 });
  }
  expect(written).toHaveLength(4);
  await vi.advanceTimersByTimeAsync(250);
  expect(written).toHaveLength(5);
  expect(written.at(-1)).toEqual({ progress: 0.1 });
  await vi.advanceTimersByTimeAsync(10_000);
  expect(written).toHaveLength(5);
  throttle.push({ progress: 0.2 });
  expect(written).toHaveLength(6);
});

it('does not begin a write before the one before has ended', async () => {
  const slow = Promise.withResolvers<void>();
  const { throttle, written } = recording(() => slow.promise);
  throttle.push({ progress: 0.1 });
  throttle.push({ progress: 0.2 });
  await vi.advanceTimersByTimeAsync(10_000);
  expect(written).toHaveLength(1);
  slow.resolve();
  await vi.advanceTimersByTimeAsync(250);
  expect(written).toHaveLength(2);
});

it('joins what comes in between, and leaves out what is no number', async () => {
  const { throttle, written } = recording();
  throttle.push({});
  throttle.push({ progress: 0.1, speed: 2, source: { width: 640 } });
  throttle.push({ progress: Number.NaN, speed: Number.POSITIVE_INFINITY, source: { height: 480 } });
  throttle.push({ etaSeconds: null });
  await vi.advanceTimersByTimeAsync(250);
  expect(written).toEqual([
    {},
    { progress: 0.1, speed: null, etaSeconds: null, source: { width: 640, height: 480 } },
  ]);
});

it('gives back what was not written when it stops, and writes nothing more', async () => {
  const { throttle, written } = recording();
  throttle.push({ progress: 0.1 });
  throttle.push({ progress: 0.2 });
  expect(throttle.stop()).toEqual({ progress: 0.2 });
  throttle.push({ progress: 0.3 });
  await vi.advanceTimersByTimeAsync(10_000);
  expect(written).toHaveLength(1);
  expect(throttle.stop()).toBeUndefined();
  expect(vi.getTimerCount()).toBe(0);
});
