// Many renditions of one source: what they share may not be seen in any of them.

import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { imageOperations } from '../../src/operations/image.ts';
import { commonRoot, shareScaling } from '../../src/operations/image-sharing.ts';
import type { ScaledNode } from '../../src/operations/image-sharing.ts';
import { planImage } from '../../src/operations/image-plan.ts';
import { readImageHeader } from '../../src/lib/image-header.ts';
import { imageFixture } from '../support/fixtures.ts';
import { difference, output, own, picture, renderOne, testPool } from './pictures.ts';
import type { OutputWish } from './pictures.ts';

const pool = testPool();
afterAll(() => pool.close());
let photo: Buffer;
beforeAll(async () => {
  photo = await imageFixture({ width: 1500, height: 1000, grain: 4, quality: 92 });
});

type Steps = NonNullable<OutputWish['steps']>;
const at = (width: number, format: OutputWish['format'], before: Steps = []): OutputWish => ({
  steps: [...before, { op: 'resize', width }],
  format,
});

/** Each rendition of a set is like the one that a request of its own would have given. */
async function expectLikeSingles(
  source: Uint8Array,
  wishes: readonly OutputWish[],
  most: number,
): Promise<void> {
  const { images } = await pool.render(own(source), wishes.map(output));
  for (const [index, wish] of wishes.entries()) {
    const single = await renderOne(pool, source, wish);
    const image = images[index];
    expect(image).toMatchObject({ mediaType: single.mediaType, width: single.width, height: single.height });
    const { mean } = await difference(image?.data ?? Buffer.alloc(0), single.data);
    expect(mean, JSON.stringify(wish)).toBeLessThan(most);
  }
}

describe('a set', () => {
  it('is like its single requests', async () => {
    const widths = [75, 150, 320, 640, 1000, 1500];
    await expectLikeSingles(
      photo,
      widths.flatMap((width) => [at(width, 'webp'), at(width, 'jpeg')]),
      2,
    );
  });

  it('is so after steps, and of pictures with transparency, which JPEG has not', async () => {
    const before: Steps = [
      { op: 'crop', left: 50, top: 20, width: 400, height: 300 },
      { op: 'rotate', angle: 7 },
    ];
    const source = await picture(600, 400, true).png().toBuffer();
    const wishes = [300, 150, 60].flatMap((width) => [
      at(width, 'png', before),
      at(width, 'jpeg', before),
      at(width, 'webp'),
    ]);
    await expectLikeSingles(source, wishes, 2.5);
  });

  it('is so for every orientation', async () => {
    for (const orientation of [3, 6, 7]) {
      const source = await picture(400, 300).withMetadata({ orientation }).jpeg().toBuffer();
      await expectLikeSingles(source, [at(300, 'png'), at(140, 'png'), at(60, 'png'), at(60, 'webp')], 2);
    }
  });

  it('keeps an animation moving beside stills of it', async () => {
    const frames = await Promise.all(
      ['red', 'blue'].map((background) =>
        sharp({ create: { width: 80, height: 60, channels: 3, background } })
          .png()
          .toBuffer(),
      ),
    );
    const source = await sharp(frames, { join: { animated: true } })
      .gif()
      .toBuffer();
    const wishes = [at(40, 'webp'), at(20, 'webp'), at(40, 'png'), at(20, 'png')];
    const { images } = await pool.render(own(source), wishes.map(output));
    const pages = await Promise.all(
      images.map(async ({ data }) => (await sharp(data).metadata()).pages ?? 1),
    );
    expect(pages).toEqual([2, 2, 1, 1]);
    expect(images.map(({ width, height }) => [width, height])).toEqual([
      [40, 30],
      [20, 15],
      [40, 30],
      [20, 15],
    ]);
  });
});

describe('shareScaling', () => {
  const share = (wishes: readonly OutputWish[], source: Uint8Array) => {
    const header = readImageHeader(source);
    const plans = wishes.map((wish) => planImage(output(wish), header, { maxPixels: 1e8 }));
    return shareScaling(plans, header, () => false);
  };
  const shape = (nodes: readonly ScaledNode[]): unknown =>
    nodes.map(({ step, plans, children }) => [
      (step as { width?: number }).width,
      plans,
      ...(children.length > 0 ? [shape(children)] : []),
    ]);

  it('scales each width once, from the smallest that is twice as wide', () => {
    const wishes = [320, 640, 700, 1400].flatMap((width) => [at(width, 'webp'), at(width, 'jpeg')]);
    const { trees, alone } = share(wishes, photo);
    expect(alone).toEqual([]);
    expect(trees).toHaveLength(1);
    expect(shape(trees[0]?.scaled ?? [])).toEqual([
      [
        1400,
        [6, 7],
        [
          [640, [2, 3], [[320, [0, 1]]]],
          [700, [4, 5]],
        ],
      ],
    ]);
  });

  it('scales from the largest what is not much smaller, and from the source what is hardly smaller', () => {
    const wishes = [400, 500, 900, 1000, 1100].map((width) => at(width, 'webp'));
    expect(shape(share(wishes, photo).trees[0]?.scaled ?? [])).toEqual([
      [1000, [3], [[500, [1]]]],
      [1100, [4], [[900, [2], [[400, [0]]]]]],
    ]);
  });

  it('knows the one picture that all can be scaled from', () => {
    const both = (width: number): OutputWish[] => [at(width, 'webp'), at(width, 'jpeg')];
    expect(commonRoot(share([...both(300), ...both(1000), ...both(800)], photo))?.step).toMatchObject({
      width: 1000,
    });
    expect(commonRoot(share([...both(300), ...both(1000), ...both(990)], photo))).toBeUndefined();
    expect(commonRoot(share([...both(300), ...both(1000), { format: 'png' }], photo))).toBeUndefined();
  });

  it('leaves alone what shares nothing', () => {
    const wishes: OutputWish[] = [
      at(300, 'webp'),
      { steps: [{ op: 'resize', width: 100, height: 100, fit: 'cover' }], format: 'png' },
      { format: 'png' },
      at(200, 'webp', [{ op: 'flip' }]),
    ];
    const { trees, alone } = share(wishes, photo);
    expect(trees).toEqual([]);
    expect(alone.map(([index]) => index).toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3]);
  });

  it('knows a resize that is more than a width', () => {
    const plain = imageOperations.resize.params.parse({ width: 5 });
    for (const more of [{ height: 5 }, { enlarge: true }, { fit: 'fill' }] as const) {
      const wish: OutputWish = { steps: [{ op: 'resize', width: plain.width, ...more }], format: 'png' };
      expect(share([wish, { ...wish, format: 'webp' }], photo).trees).toEqual([]);
    }
  });
});
