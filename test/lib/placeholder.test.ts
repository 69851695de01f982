import { decode, isBlurhashValid } from 'blurhash';
import { thumbHashToApproximateAspectRatio, thumbHashToAverageRGBA } from 'thumbhash';
import { describe, expect, it } from 'vitest';
import { blurhashOf, thumbhashOf } from '../../src/lib/placeholder.ts';

const filled = (width: number, height: number, colour: readonly number[]): Uint8Array =>
  Uint8Array.from(Array.from({ length: width * height }, () => colour).flat());

describe('blurhashOf', () => {
  it('decodes to about the picture', () => {
    const hash = blurhashOf(filled(32, 20, [200, 60, 30, 255]), 32, 20);
    expect(isBlurhashValid(hash).result).toBe(true);
    const pixels = decode(hash, 8, 8);
    for (const [channel, value] of [200, 60, 30].entries()) {
      const mean = pixels.reduce((sum, each, i) => (i % 4 === channel ? sum + each / 64 : sum), 0);
      expect(Math.abs(mean - value)).toBeLessThan(6);
    }
  });
  it('shows what is transparent as white', () => {
    const [r = 0, g = 0, b = 0] = decode(blurhashOf(filled(8, 8, [0, 0, 0, 0]), 8, 8), 1, 1);
    expect(Math.min(r, g, b)).toBeGreaterThan(245);
  });
  it('takes a single pixel', () => {
    expect(isBlurhashValid(blurhashOf(filled(1, 1, [1, 2, 3, 255]), 1, 1)).result).toBe(true);
  });
});

describe('thumbhashOf', () => {
  it('knows colour, transparency and shape', () => {
    const bytes = Buffer.from(thumbhashOf(filled(90, 45, [200, 60, 30, 128]), 90, 45), 'base64');
    const { r, g, b, a } = thumbHashToAverageRGBA(bytes);
    expect(Math.abs(r * 255 - 200) + Math.abs(g * 255 - 60) + Math.abs(b * 255 - 30)).toBeLessThan(60);
    expect(Math.abs(a - 0.5)).toBeLessThan(0.1);
    expect(Math.abs(thumbHashToApproximateAspectRatio(bytes) - 2)).toBeLessThan(0.6);
  });
  it('takes a single pixel', () => {
    expect(thumbhashOf(filled(1, 1, [1, 2, 3, 255]), 1, 1)).toMatch(/^[\w+/]+=*$/);
  });
});
