// Steps run in the order given, although sharp has an order of its own within one pipeline.

import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { difference, output, picture, renderOne, testPool } from '../../engines/pictures.ts';
import type { OutputWish } from '../../engines/pictures.ts';
import { planImage } from '../../../src/operations/image-plan.ts';

type Step = NonNullable<OutputWish['steps']>[number];

/** Each does something else to every corner, and changes the size where it can. */
const STEPS: Record<string, Step> = {
  crop: { op: 'crop', left: 7, top: 3, width: 41, height: 37 },
  'rotate 90': { op: 'rotate', angle: 90 },
  'rotate 180': { op: 'rotate', angle: 180 },
  'rotate -30': { op: 'rotate', angle: -30, background: 'orange' },
  flip: { op: 'flip' },
  flop: { op: 'flop' },
  'resize inside': { op: 'resize', width: 70, height: 66 },
  'resize width': { op: 'resize', width: 72 },
  'resize fill': { op: 'resize', width: 66, height: 80, fit: 'fill' },
  'resize cover north': { op: 'resize', width: 84, height: 40, fit: 'cover', position: 'north' },
  'resize cover west': { op: 'resize', width: 62, height: 70, fit: 'cover', position: 'left' },
  'resize contain': {
    op: 'resize',
    width: 75,
    height: 75,
    fit: 'contain',
    position: 'right bottom',
    background: 'lime',
  },
};

const engine = testPool();
afterAll(() => engine.close());

describe('every pair of steps', () => {
  // What comes second must lie within what comes first.
  const seconds = { ...STEPS, crop: { op: 'crop', left: 4, top: 6, width: 30, height: 29 } as const };

  describe.each([
    ['a PNG', () => picture(120, 90).png().toBuffer()],
    ['a PNG with alpha', () => picture(120, 90, true).png().toBuffer()],
    [
      'a JPEG on its side',
      () => picture(120, 90).jpeg({ quality: 100 }).withMetadata({ orientation: 6 }).toBuffer(),
    ],
    [
      'a mirrored WebP',
      () => picture(120, 90).webp({ lossless: true }).withMetadata({ orientation: 5 }).toBuffer(),
    ],
  ])('of %s', (_what, make) => {
    it('equals one after the other', async () => {
      const source = await make();
      for (const [firstName, first] of Object.entries(STEPS)) {
        const between = await renderOne(engine, source, { steps: [first], format: 'png' });
        for (const [secondName, second] of Object.entries(seconds)) {
          const once = await renderOne(engine, source, { steps: [first, second], format: 'png' });
          const twice = await renderOne(engine, between.data, { steps: [second], format: 'png' });
          const { mean, size } = await difference(once.data, twice.data);
          expect(mean, `${firstName}, ${secondName}: ${size}`).toBeLessThan(1);
        }
      }
    });
  });

  it('would be seen if it were the wrong way round', async () => {
    const source = await picture(120, 90).png().toBuffer();
    const wrong: string[] = [];
    for (const [first, second] of [
      ['crop', 'flip'],
      ['flip', 'crop'],
      ['rotate 90', 'flip'],
      ['resize cover north', 'flip'],
      ['rotate 90', 'resize contain'],
      ['rotate -30', 'resize cover west'],
    ] as const) {
      const ways = [
        [STEPS[first]!, STEPS[second]!],
        [STEPS[second]!, STEPS[first]!],
      ];
      const [a, b] = await Promise.all(
        ways.map((steps) => renderOne(engine, source, { steps, format: 'png' })),
      );
      const { mean } = await difference(a!.data, b!.data, { stretch: true });
      if (mean < 3) wrong.push(`${first}, ${second}: ${mean}`);
    }
    expect(wrong).toEqual([]);
  });
});

describe('twenty steps', () => {
  it('are done one after the other', async () => {
    const source = await picture(64, 40).png().toBuffer();
    const { data, width, height } = await renderOne(engine, source, {
      steps: Array.from(
        { length: 20 },
        (_, index): Step => (index % 2 === 0 ? { op: 'rotate', angle: 90 } : { op: 'flop' }),
      ),
      format: 'png',
    });
    // Turn and mirror, twice, is as it was; that ten times over.
    expect((await difference(data, source)).mean).toBe(0);
    expect({ width, height }).toEqual({ width: 64, height: 40 });
  });
});

describe('pipelines', () => {
  const header = {
    mediaType: 'image/jpeg',
    width: 1200,
    height: 800,
    frames: 1,
    alpha: false,
    orientation: 1,
  } as const;
  const pipelines = (wish: OutputWish, of: Partial<Parameters<typeof planImage>[1]> = {}) =>
    planImage(output(wish), { ...header, ...of }, { maxPixels: 50_000_000 }).pipelines.map(({ steps }) =>
      steps.map(({ op }) => op).join(' '),
    );

  it('take one pass where sharp has the same order', () => {
    expect(pipelines({ steps: [] })).toEqual(['']);
    expect(pipelines({ steps: [STEPS['resize cover north']!] })).toEqual(['resize']);
    expect(pipelines({ steps: [STEPS['crop']!, STEPS['resize inside']!] })).toEqual(['crop resize']);
    expect(
      pipelines({
        steps: [STEPS['crop']!, STEPS['resize inside']!, STEPS['flip']!, STEPS['flop']!, STEPS['rotate 90']!],
      }),
    ).toEqual(['crop resize flip flop rotate']);
  });

  it('take another where it has not', () => {
    expect(pipelines({ steps: [STEPS['resize width']!, STEPS['crop']!] })).toEqual(['resize', 'crop']);
    expect(pipelines({ steps: [STEPS['resize cover north']!, STEPS['flip']!] })).toEqual(['resize', 'flip']);
    expect(pipelines({ steps: [STEPS['rotate 90']!, STEPS['rotate -30']!] })).toEqual(['rotate', 'rotate']);
  });

  it('are not so many of so large a picture that they take a minute', () => {
    const turns = Array.from({ length: 20 }, (): Step => ({ op: 'rotate', angle: 90 }));
    const large = { width: 5000, height: 4000 };
    expect(() => pipelines({ steps: turns }, large)).toThrow(
      /^The steps would go over \d+ pixels in 20 passes/,
    );
    expect(pipelines({ steps: [{ op: 'resize', width: 2000 }, ...turns.slice(1)] }, large)).toHaveLength(19);
  });

  it('flatten at the end only what became transparent at the end', () => {
    const contain: Step = { op: 'resize', width: 300, height: 300, fit: 'contain' };
    expect(pipelines({ steps: [contain] })).toEqual(['resize', '']);
    expect(pipelines({ steps: [{ ...contain, background: 'white' }] }, { alpha: true })).toEqual(['resize']);
    expect(pipelines({ steps: [contain], format: 'png' })).toEqual(['resize']);
  });
});

describe('a single resize', () => {
  it('shrinks while it loads: it is what bare sharp makes', async () => {
    const source = await picture(2400, 1600).jpeg({ quality: 95 }).toBuffer();
    const mine = await renderOne(engine, source, { steps: [{ op: 'resize', width: 200 }], quality: 90 });
    const bare = await sharp(source).resize(200).jpeg({ quality: 90 }).toBuffer();
    expect(Buffer.compare(mine.data, bare)).toBe(0);
  });
});
