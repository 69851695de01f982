// Medians, percentiles and ratios against numbers worked out by hand.

import { describe, expect, it } from 'vitest';
import { median, percentile, ratios, spread } from '../../load-tests/statistics.ts';

const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);

describe('median', () => {
  it.each([
    [[3], 3],
    [[3, 1], 2],
    [[10, 1, 2], 2],
    [[4, 1, 3, 2], 2.5],
    // Not as text, where 10 would come before 9.
    [[9, 10, 100], 10],
  ])('of %j is %j', (values, expected) => {
    expect(median(values)).toBe(expected);
  });

  it('leaves its values alone, and there is none of nothing', () => {
    const values = [3, 1, 2];
    median(values);
    expect(values).toEqual([3, 1, 2]);
    expect(() => median([])).toThrow(RangeError);
  });
});

describe('percentile', () => {
  it.each([
    [0, 1],
    [1, 1],
    [50, 50],
    [99, 99],
    [99.1, 100],
    [100, 100],
  ])('%s of 1…100 is %s', (percent, expected) => {
    expect(percentile(hundred, percent)).toBe(expected);
  });

  it('is always a measured value', () => {
    expect(percentile([1, 100], 50)).toBe(1);
    expect(percentile([1, 100], 51)).toBe(100);
    expect(() => percentile([], 99)).toThrow(RangeError);
  });
});

describe('ratios', () => {
  it('divide what was measured in the same round', () => {
    expect(ratios([10, 30], [5, 10])).toEqual([2, 3]);
  });

  it('want a floor for every round', () => {
    expect(() => ratios([10, 30], [5])).toThrow('every round needs its floor');
  });
});

it('spread tells median, least and most', () => {
  expect(spread([1.2, 0.9, 1.0])).toEqual({ median: 1.0, min: 0.9, max: 1.2 });
});
