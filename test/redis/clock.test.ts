// The time of Redis, by answers that take their time.

import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { sharedClock } from '../../src/redis/clock.ts';

/** Redis's clock is so far ahead of the time since this process began, in milliseconds. */
const AHEAD = 1_700_000_000_000;

let at: number;
beforeEach(() => {
  at = 1000;
  vi.spyOn(performance, 'now').mockImplementation(() => at);
});
afterEach(() => vi.restoreAllMocks());

/** Each question is heard at once, and answered after so many milliseconds. */
function answering(...ways: number[]) {
  return {
    looks: 0,
    async time(): Promise<[number, number]> {
      this.looks += 1;
      const heard = AHEAD + at;
      at += ways.shift() ?? 0;
      return [Math.floor(heard / 1000), (heard % 1000) * 1000];
    },
  };
}

it('asks once where the answer is quick', async () => {
  const redis = answering(20);
  using clock = await sharedClock(redis);
  expect(redis.looks).toBe(1);
  expect(Math.abs(clock.now() - AHEAD - at)).toBeLessThanOrEqual(10);
});

it('asks again at the start until an answer is quick', async () => {
  const redis = answering(4000, 3000, 20);
  using clock = await sharedClock(redis);
  expect(redis.looks).toBe(3);
  expect(Math.abs(clock.now() - AHEAD - at)).toBeLessThanOrEqual(10);
});

it('takes the quickest answer where none is quick', async () => {
  const redis = answering(4000, 700, 3000, 5000, 2000);
  using clock = await sharedClock(redis);
  expect(redis.looks).toBe(5);
  expect(Math.abs(clock.now() - AHEAD - at)).toBeLessThanOrEqual(350);
});

it('cannot be begun where Redis does not answer', async () => {
  const time = async (): Promise<[number, number]> => {
    throw new Error('Connection is closed.');
  };
  await expect(sharedClock({ time })).rejects.toMatchObject({ code: 'backend_unavailable' });
});
