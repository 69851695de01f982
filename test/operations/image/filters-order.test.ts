// The operations after the geometry: in any pair, the second is done to what the first made.

import { afterAll, describe, expect, it } from 'vitest';
import { planImage } from '../../../src/operations/image-plan.ts';
import { difference, output, picture, renderOne, testPool } from '../../engines/pictures.ts';
import type { Step } from './patches.ts';

const engine = testPool();
afterAll(() => engine.close());

/** As in order.test.ts: each does something else to every corner. */
const GEOMETRY: Record<string, Step> = {
  crop: { op: 'crop', left: 4, top: 3, width: 30, height: 29 },
  'crop percent': { op: 'crop', left: 10, top: 20, width: 60, height: 70, unit: 'percent' },
  flip: { op: 'flip' },
  'rotate -30': { op: 'rotate', angle: -30, background: 'orange' },
  'resize cover west': { op: 'resize', width: 42, height: 40, fit: 'cover', position: 'left' },
  'resize focus': { op: 'resize', width: 40, height: 36, fit: 'cover', focus: '0.2,0.9' },
  'resize contain': { op: 'resize', width: 45, height: 50, fit: 'contain', background: 'transparent' },
};

const FILTERS: Record<string, Step> = {
  flatten: { op: 'flatten', background: 'orange' },
  'extend colour': { op: 'extend', top: 5, left: 9, background: 'lime' },
  'extend clear': { op: 'extend', right: 8, bottom: 3, background: 'transparent' },
  'extend mirror': { op: 'extend', right: 11, bottom: 4, fill: 'mirror' },
  'extend blur': { op: 'extend', top: 6, fill: 'blur' },
  blur: { op: 'blur', sigma: 2 },
  'blur large': { op: 'blur', sigma: 10 },
  sharpen: { op: 'sharpen', sigma: 1 },
  grayscale: { op: 'grayscale' },
  negate: { op: 'negate' },
  modulate: { op: 'modulate', hue: 90 },
  threshold: { op: 'threshold', level: 90 },
  round: { op: 'round', radius: 9 },
  pixelate: { op: 'pixelate', size: 7 },
};

const both = { ...GEOMETRY, ...FILTERS };
const pairs = [
  ...Object.keys(FILTERS).flatMap((first) => Object.keys(both).map((second) => [first, second] as const)),
  ...Object.keys(GEOMETRY).flatMap((first) => Object.keys(FILTERS).map((second) => [first, second] as const)),
];

describe.each([
  ['opaque', false],
  ['with alpha', true],
] as const)('every pair, %s', (_what, alpha) => {
  it('equals one after the other', async () => {
    const source = await picture(60, 45, alpha).png().toBuffer();
    const between = new Map<string, Uint8Array>();
    for (const [first, second] of pairs) {
      const [one, two] = [both[first]!, both[second]!];
      if (!between.has(first)) {
        between.set(first, (await renderOne(engine, source, { steps: [one], format: 'png' })).data);
      }
      const once = await renderOne(engine, source, { steps: [one, two], format: 'png' });
      const twice = await renderOne(engine, between.get(first)!, { steps: [two], format: 'png' });
      const { mean, size } = await difference(once.data, twice.data);
      expect(mean, `${first}, ${second}: ${size}`).toBeLessThan(1);
    }
  });

  it('shows the same as JPEG, where what is transparent is white', async () => {
    const source = await picture(60, 45, alpha).png().toBuffer();
    for (const [name, step] of Object.entries(both)) {
      const png = await renderOne(engine, source, { steps: [step], format: 'png' });
      const white = await renderOne(engine, png.data, { steps: [{ op: 'flatten' }], format: 'png' });
      const jpeg = await renderOne(engine, source, { steps: [step], format: 'jpeg', quality: 100 });
      expect((await difference(jpeg.data, white.data)).mean, name).toBeLessThan(4);
    }
  });
});

describe('pipelines', () => {
  const header = {
    mediaType: 'image/png',
    width: 1200,
    height: 800,
    frames: 1,
    alpha: false,
    orientation: 1,
  } as const;
  const pipelines = (...steps: Step[]) =>
    planImage(output({ steps, format: 'png' }), header, { maxPixels: 50_000_000 }).pipelines.map(
      ({ steps }) => steps.map(({ op }) => op).join(' '),
    );
  const small: Step = { op: 'resize', width: 200 };
  const white: Step = { op: 'extend', top: 5, background: 'white' };

  it('take one pass where sharp has the same order', () => {
    expect(
      pipelines({ op: 'crop', left: 0, top: 0, width: 9, height: 9 }, FILTERS['flatten']!, small),
    ).toEqual(['crop flatten resize']);
    expect(pipelines(small, white, FILTERS['blur']!, FILTERS['sharpen']!)).toEqual([
      'resize extend blur sharpen',
    ]);
  });

  it('take another where it has not, where colours would bleed, or where pixels are needed', () => {
    expect(pipelines(FILTERS['sharpen']!, FILTERS['blur']!)).toEqual(['sharpen', 'blur']);
    expect(pipelines(FILTERS['extend clear']!, FILTERS['blur']!)).toEqual(['extend', 'blur']);
    expect(pipelines(small, FILTERS['negate']!)).toEqual(['resize', 'negate']);
    expect(pipelines(small, FILTERS['extend colour']!)).toEqual(['resize', 'extend']);
    expect(pipelines(FILTERS['threshold']!)).toEqual(['', 'threshold']);
    expect(pipelines(small, FILTERS['blur large']!)).toEqual(['resize', 'blur']);
  });
});
