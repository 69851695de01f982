// The structural similarity.

import { expect, it } from 'vitest';
import { ssim } from '../../src/lib/ssim.ts';
import { seededRandom } from '../support/random.ts';

const SIDE = 64;
const waves = Uint8Array.from({ length: SIDE * SIDE }, (_, at) =>
  Math.round(128 + 100 * Math.sin((at % SIDE) / 5) * Math.cos(Math.floor(at / SIDE) / 7)),
);
const noisy = (strength: number): Uint8Array => {
  const random = seededRandom(3);
  return waves.map((value) => Math.max(0, Math.min(255, value + random.between(-strength, strength))));
};

it('is 1 for a picture and itself, and falls as it gets worse', () => {
  const scores = [0, 4, 16, 64].map((strength) => ssim(waves, noisy(strength), SIDE, SIDE));
  expect(scores[0]).toBeCloseTo(1, 9);
  expect(scores).toEqual(scores.toSorted((a, b) => b - a));
  expect(new Set(scores).size).toBe(4);
  expect(scores[3]).toBeLessThan(0.8);
});

it('sees structure and not only the mean difference', () => {
  const brighter = waves.map((value) => Math.min(255, value + 8));
  const flat = waves.map(() => 128);
  expect(ssim(waves, brighter, SIDE, SIDE)).toBeGreaterThan(0.95);
  expect(ssim(waves, flat, SIDE, SIDE)).toBeLessThan(0.3);
});

it('takes pictures smaller than its window', () => {
  expect(ssim(Uint8Array.of(9), Uint8Array.of(9), 1, 1)).toBeCloseTo(1, 9);
  expect(ssim(Uint8Array.of(0, 9, 255), Uint8Array.of(0, 9, 255), 3, 1)).toBeCloseTo(1, 9);
});
