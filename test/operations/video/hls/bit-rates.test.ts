import { describe, expect, it } from 'vitest';
import { segmentRates } from '../../../../src/operations/video/hls/bit-rates.ts';

const segment = (bytes: number, seconds: number) => ({ bytes, seconds });

describe('rates of segments', () => {
  it.each([
    ['all alike', [segment(500_000, 4), segment(500_000, 4)], 1_000_000, 1_000_000],
    ['one is larger', [segment(500_000, 4), segment(1_000_000, 4)], 2_000_000, 1_500_000],
    // 0.1 s of it would be 8 Mb/s, but no player asks for it alone.
    ['a short rest', [segment(500_000, 4), segment(100_000, 0.1)], 1_170_732, 1_170_732],
    // Two of 2 s are one row of 4 s; with 4 of target, so is each by itself.
    [
      'short ones in a row',
      [segment(1000, 2), segment(3000, 2), segment(3000, 2), segment(1000, 2)],
      12_000,
      8000,
    ],
    ['shorter than half the target', [segment(1000, 1)], 8000, 8000],
    ['longer than the target', [segment(1000, 4), segment(100_000, 10), segment(1000, 4)], 80_000, 45_334],
    ['none', [], 0, 0],
  ])('%s', (_, segments, peak, average) => {
    expect(segmentRates(segments, 4)).toEqual({ peak, average });
  });
});
