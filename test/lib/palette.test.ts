import { describe, expect, it } from 'vitest';
import { averageColour, paletteOf } from '../../src/lib/palette.ts';
import { seededRandom } from '../support/random.ts';

type Rgba = readonly [number, number, number, number];

const pixels = (...runs: readonly (readonly [count: number, colour: Rgba])[]): Uint8Array =>
  Uint8Array.from(runs.flatMap(([count, colour]) => Array.from({ length: count }, () => colour).flat()));

const red: Rgba = [255, 0, 0, 255];
const blue: Rgba = [0, 0, 255, 255];
const nothing: Rgba = [9, 9, 9, 0];

describe('averageColour', () => {
  it('is the mean of what is to be seen', () => {
    expect(averageColour(pixels([1, red], [1, blue]))).toBe('#800080');
    expect(averageColour(pixels([1, red], [9, nothing]))).toBe('#ff0000');
    expect(averageColour(pixels([3, [255, 0, 0, 85]], [1, blue]))).toBe('#800080');
  });
  it('is null of nothing', () => {
    expect(averageColour(pixels([5, nothing]))).toBeNull();
  });
});

describe('paletteOf', () => {
  it('has the colours of the picture, the most frequent first', () => {
    expect(paletteOf(pixels([60, blue], [30, red], [10, [255, 255, 255, 255]], [50, nothing]), 10)).toEqual([
      { colour: '#0000ff', share: 0.6 },
      { colour: '#ff0000', share: 0.3 },
      { colour: '#ffffff', share: 0.1 },
    ]);
  });

  it('takes shades for one that nobody tells apart', () => {
    expect(paletteOf(pixels([50, [200, 100, 50, 255]], [50, [206, 104, 54, 255]]), 10)).toEqual([
      { colour: '#cb6634', share: 1 },
    ]);
  });

  it('has at most so many, of however many there are, and their shares are at most 1', () => {
    const random = seededRandom(3);
    const noise = Uint8Array.from({ length: 40_000 }, () => random.between(0, 255));
    const palette = paletteOf(noise, 10);
    expect(palette.length).toBeGreaterThan(5);
    expect(palette.length).toBeLessThanOrEqual(10);
    const shares = palette.map(({ share }) => share);
    expect(shares).toEqual(shares.toSorted((a, b) => b - a));
    expect(shares.reduce((sum, share) => sum + share, 0)).toBeLessThanOrEqual(1.01);
    for (const { colour } of palette) expect(colour).toMatch(/^#[0-9a-f]{6}$/);
  });

  it('is empty of nothing', () => {
    expect(paletteOf(pixels([5, nothing]), 10)).toEqual([]);
    expect(paletteOf(new Uint8Array(), 10)).toEqual([]);
  });
});
