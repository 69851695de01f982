import { describe, expect, it } from 'vitest';
import { bestTry, MOST_TRIES, nextCrf } from '../../../src/operations/video/quality-search.ts';
import type { Goal, Try } from '../../../src/operations/video/quality-search.ts';

const ssim = (target: number): Goal => ({ target, perfect: 1 });

/** A whole search where `likeness` is what each CRF gives. */
function search(
  likeness: (crf: number) => number,
  goal: Goal,
  bounds = { min: 1, max: 51, first: 23 },
): Try[] {
  const tries: Try[] = [];
  for (;;) {
    const crf = nextCrf(tries, goal, bounds);
    if (crf === null) return tries;
    expect(Number.isInteger(crf)).toBe(true);
    expect(crf).toBeGreaterThanOrEqual(bounds.min);
    expect(crf).toBeLessThanOrEqual(bounds.max);
    expect(tries.map((each) => each.crf)).not.toContain(crf);
    tries.push({ crf, reached: likeness(crf) });
    expect(tries.length).toBeLessThanOrEqual(MOST_TRIES);
  }
}

/** What is lacking to a perfect copy grows by a factor for each step of CRF. */
const encoder =
  (lackAt23: number, growth: number, perfect = 1) =>
  (crf: number) =>
    perfect * (1 - lackAt23 * Math.exp(growth * (crf - 23)));

describe('the search', () => {
  it.each([0.005, 0.01, 0.02, 0.04])(
    'finds the highest CRF of an encoder like x264 that lacks %d at 23',
    (lackAt23) => {
      const likeness = encoder(lackAt23, 0.1);
      const goal = ssim(0.985);
      const tries = search(likeness, goal);
      const exact = Math.floor(23 + Math.log(0.015 / lackAt23) / 0.1);
      expect(bestTry(tries, goal, { min: 1 })).toEqual({ crf: exact, reached: likeness(exact) });
    },
  );

  it.each([0.02, 0.03, 0.06, 0.14])(
    'comes close where likeness falls by %d, and is never below the target',
    (growth) => {
      for (const lackAt23 of [0.003, 0.01, 0.03]) {
        const likeness = encoder(lackAt23, growth);
        const goal = ssim(0.98);
        const found = bestTry(search(likeness, goal, { min: 1, max: 63, first: 31 }), goal, { min: 1 });
        expect(found?.reached).toBeGreaterThanOrEqual(0.98);
        const exact = Math.min(63, Math.floor(23 + Math.log(0.02 / lackAt23) / growth));
        expect(exact - (found?.crf ?? 0)).toBeLessThanOrEqual(2);
      }
    },
  );

  it('does the same for VMAF', () => {
    const goal = { target: 93, perfect: 100 };
    const likeness = encoder(0.05, 0.1, 100);
    expect(bestTry(search(likeness, goal), goal, { min: 1 })?.crf).toBe(26);
  });

  it('ends at the worst quality where that is good enough', () => {
    const tries = search(() => 0.999_999, ssim(0.98));
    expect(tries.map(({ crf }) => crf)).toEqual([23, 51]);
    expect(bestTry(tries, ssim(0.98), { min: 1 })?.crf).toBe(51);
  });

  it('ends at the best quality where the target cannot be reached', () => {
    const likeness = encoder(0.4, 0.01);
    const tries = search(likeness, ssim(0.99));
    expect(tries.at(-1)?.crf).toBe(1);
    expect(bestTry(tries, ssim(0.99), { min: 1 })).toEqual({ crf: 1, reached: likeness(1) });
  });

  it('takes the safe side where likeness wavers', () => {
    const tries = [
      { crf: 20, reached: 0.99 },
      { crf: 26, reached: 0.97 },
      { crf: 30, reached: 0.981 },
    ];
    expect(bestTry(tries, ssim(0.98), { min: 1 })?.crf).toBe(20);
    const next = nextCrf(tries, ssim(0.98), { min: 1, max: 51, first: 23 }) ?? 0;
    expect(next).toBeGreaterThan(20);
    expect(next).toBeLessThan(26);
  });

  it('tries nothing where there is no choice', () => {
    expect(search(() => 0.5, ssim(0.98), { min: 30, max: 30, first: 23 }).map(({ crf }) => crf)).toEqual([
      30,
    ]);
  });
});
