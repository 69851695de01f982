import { describe, expect, it } from 'vitest';
import { fitInto, shownSize } from '../../../src/operations/video/geometry.ts';
import { h264 } from './sources.ts';

const size = (width: number, height: number) => ({ width, height });

describe('the shown size', () => {
  it.each([
    ['as stored', {}, size(1920, 1080)],
    ['turned by 90°', { rotation: 90 }, size(1080, 1920)],
    ['turned by 270°', { rotation: 270 }, size(1080, 1920)],
    ['upside down', { rotation: 180 }, size(1920, 1080)],
    ['PAL widescreen', { width: 720, height: 576, pixelAspect: 64 / 45 }, size(1024, 576)],
    [
      'PAL widescreen, turned',
      { width: 720, height: 576, pixelAspect: 64 / 45, rotation: 90 },
      size(576, 1024),
    ],
    ['pixels that are square but for rounding', { pixelAspect: 1281 / 1280 }, size(1920, 1080)],
  ])('is %s', (_, video, expected) => {
    expect(shownSize({ ...h264, ...video })).toEqual(expected);
  });
});

describe('a box', () => {
  it.each([
    ['none: the size is kept', size(1920, 1080), { fit: 'inside' }, size(1920, 1080)],
    ['none: odd sides become even', size(853, 481), { fit: 'inside' }, size(852, 480)],
    ['a height', size(1920, 1080), { fit: 'inside', height: 720 }, size(1280, 720)],
    ['a height that gives an odd width', size(1920, 1080), { fit: 'inside', height: 480 }, size(854, 480)],
    ['a width that is odd: never exceeded', size(1920, 1080), { fit: 'inside', width: 853 }, size(852, 480)],
    [
      'both: the tighter one counts',
      size(1920, 1080),
      { fit: 'inside', width: 640, height: 640 },
      size(640, 360),
    ],
    [
      'larger than the picture: not enlarged',
      size(640, 360),
      { fit: 'inside', height: 1080 },
      size(640, 360),
    ],
    ['a portrait', size(1080, 1920), { fit: 'inside', height: 720 }, size(406, 720)],
    ['a single pixel', size(1, 1), { fit: 'inside' }, size(2, 2)],
    ['a sliver', size(4000, 4), { fit: 'inside', width: 100 }, size(100, 2)],
  ] as const)('of %s', (_, shown, box, expected) => {
    expect(fitInto(shown, box)).toEqual({ scaled: expected, final: expected });
  });

  it.each([
    ['cover', size(1920, 1080), { width: 480, height: 480 }, size(854, 480), size(480, 480)],
    ['cover', size(1080, 1920), { width: 480, height: 480 }, size(480, 854), size(480, 480)],
    // Larger than the picture: the box shrinks and keeps its shape.
    ['cover', size(640, 360), { width: 1000, height: 1000 }, size(640, 360), size(360, 360)],
    ['contain', size(1920, 1080), { width: 480, height: 480 }, size(480, 270), size(480, 480)],
    ['contain', size(320, 180), { width: 640, height: 640 }, size(320, 180), size(640, 640)],
  ] as const)('filled by %s of %j in %j', (fit, shown, box, scaled, final) => {
    expect(fitInto(shown, { ...box, fit })).toEqual({ scaled, final });
  });

  it('gives even sides inside the box and the picture, whatever the sizes', () => {
    let seed = 7;
    const random = (min: number, max: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return min + (seed % (max - min + 1));
    };
    for (let round = 0; round < 5000; round++) {
      const shown = size(random(2, 8192), random(2, 8192));
      const box = { width: random(16, 8192), height: random(16, 8192) };
      const fit = (['inside', 'cover', 'contain'] as const)[round % 3] ?? 'inside';
      const { scaled, final } = fitInto(shown, { ...box, fit });
      for (const side of [scaled.width, scaled.height, final.width, final.height]) expect(side % 2).toBe(0);
      expect(scaled.width).toBeLessThanOrEqual(shown.width);
      expect(scaled.height).toBeLessThanOrEqual(shown.height);
      expect(final.width).toBeLessThanOrEqual(box.width);
      expect(final.height).toBeLessThanOrEqual(box.height);
      if (fit === 'cover') expect(final.width <= scaled.width && final.height <= scaled.height).toBe(true);
      if (fit === 'contain') expect(final.width >= scaled.width && final.height >= scaled.height).toBe(true);
    }
  });
});
