import { describe, expect, it } from 'vitest';
import { DAY, GIVE_UP_MS, nextAttempt, retryAfterMs } from '../../src/webhooks/schedule.ts';

const now = Date.UTC(2026, 10, 22, 12);
const seconds = (tries: number, random = 0.5): number =>
  (nextAttempt({ tries, since: now, now }, () => random)! - now) / 1000;

describe('the next attempt', () => {
  it('comes later each time', () => {
    const pauses = Array.from({ length: 12 }, (_, index) => seconds(index + 1));
    expect(pauses).toEqual([5, 30, 120, 600, 1800, 3600, 10_800, 21_600, 43_200, 86_400, 86_400, 86_400]);
  });

  it('comes a fifth sooner or later than that', () => {
    expect([seconds(3, 0), seconds(3, 1)]).toEqual([96, 144]);
  });

  it('waits for as long as the receiver asked, up to a day, and not less than usual', () => {
    const after = (wish: number): number =>
      nextAttempt({ tries: 1, since: now, now, wish }, () => 0.5)! - now;
    expect([after(1000), after(60_000), after(90 * DAY)]).toEqual([5000, 60_000, DAY]);
  });

  it('does not come after three days', () => {
    const at = (later: number): number | null =>
      nextAttempt({ tries: 1, since: now, now: now + later }, () => 0.5);
    expect(at(GIVE_UP_MS - 5000)).toBe(now + GIVE_UP_MS);
    expect(at(GIVE_UP_MS - 4999)).toBeNull();
  });
});

it.each([
  ['120', 120_000],
  [' 0 ', 0],
  ['9999999999', DAY],
  ['Sun, 22 Nov 2026 12:01:00 GMT', 60_000],
  ['Sun, 22 Nov 2026 11:00:00 GMT', 0],
  ['Sun, 22 Nov 2099 11:00:00 GMT', DAY],
  ['-5', undefined],
  ['1.5', undefined],
  ['soon', undefined],
  ['', undefined],
  [undefined, undefined],
])('Retry-After %s asks for %s ms', (value, expected) => {
  expect(retryAfterMs(value, now)).toBe(expected);
});
