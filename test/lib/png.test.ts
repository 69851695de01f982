import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { encodePng } from '../../src/lib/png.ts';

const red = { r: 255, g: 0, b: 0, alpha: 1 };
const faint = { r: 0, g: 128, b: 255, alpha: 0.5 };

describe('a PNG of a few colours', () => {
  it('is read back by another decoder, pixel by pixel', async () => {
    const png = encodePng({ width: 3, height: 2 }, [red, faint], Uint8Array.of(0, 1, 0, 1, 1, 0));
    const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
    expect(info).toMatchObject({ width: 3, height: 2, channels: 4 });
    const pixel = (at: number): number[] => [...data.subarray(4 * at, 4 * at + 4)];
    const [a, b] = [
      [255, 0, 0, 255],
      [0, 128, 255, 128],
    ];
    expect([0, 1, 2, 3, 4, 5].map(pixel)).toEqual([a, b, a, b, b, a]);
  });

  it('is refused where pixels or colours do not fit', () => {
    expect(() => encodePng({ width: 2, height: 2 }, [red], new Uint8Array(3))).toThrow(RangeError);
    expect(() => encodePng({ width: 1, height: 1 }, [], new Uint8Array(1))).toThrow(RangeError);
    expect(() =>
      encodePng(
        { width: 1, height: 1 },
        Array.from({ length: 257 }, () => red),
        new Uint8Array(1),
      ),
    ).toThrow(RangeError);
  });
});
