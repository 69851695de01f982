// Animations: all frames, in their order, at their speed, whatever is done to them.

import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { output, own, pixelOf, renderOne, testPool } from './pictures.ts';

const engine = testPool();
afterAll(() => engine.close());

const resize = (width: number, more: object = {}) => ({ op: 'resize', width, ...more }) as const;

describe('animations', () => {
  const COLOURS = ['red', 'lime', 'blue'] as const;
  const animation = async (format: 'gif' | 'webp'): Promise<Buffer> => {
    const frames = await Promise.all(
      COLOURS.map(async (background) =>
        sharp({ create: { width: 30, height: 20, channels: 3, background } })
          .composite([
            { input: { create: { width: 6, height: 4, channels: 3, background: 'white' } }, left: 0, top: 0 },
          ])
          .png()
          .toBuffer(),
      ),
    );
    const image = sharp(frames, { join: { animated: true } });
    const timing = { delay: [100, 200, 300], loop: 3 };
    return format === 'gif'
      ? image.gif(timing).toBuffer()
      : image.webp({ ...timing, lossless: true }).toBuffer();
  };
  const read = async (data: Uint8Array) => {
    const {
      pages = 1,
      delay,
      loop,
      width,
      pageHeight,
      height,
    } = await sharp(data, { animated: true }).metadata();
    return { pages, delay, loop, width, height: pageHeight ?? height };
  };
  /** The colour in the middle of each frame, and of the corner where the white mark is expected. */
  const look = async (data: Uint8Array, corner: [number, number]) => {
    const { data: pixels, info } = await sharp(data, { animated: true })
      .ensureAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    const { width, pageHeight = info.height, pages = 1 } = info;
    const at = (frame: number, x: number, y: number) =>
      [...pixels.subarray(((frame * pageHeight + y) * width + x) * 4).subarray(0, 3)]
        .map((v) => (v > 127 ? 1 : 0))
        .join('');
    return Array.from(
      { length: pages },
      (_, frame) => `${at(frame, width >> 1, pageHeight >> 1)} ${at(frame, ...corner)}`,
    );
  };
  const MOVING = ['100 111', '010 111', '001 111'];

  it.each([
    ['gif', 'webp'],
    ['webp', 'gif'],
    ['gif', 'gif'],
    ['webp', undefined],
  ] as const)('a %s stays animated as %s', async (from, format) => {
    const source = await animation(from);
    for (const count of [1, 3]) {
      const wish = output({ steps: [resize(15)], ...(format && { format }) });
      const { images } = await engine.render(
        own(source),
        Array.from({ length: count }, () => wish),
      );
      for (const { data, width, height } of images) {
        expect({ width, height }).toEqual({ width: 15, height: 10 });
        expect(await read(data)).toEqual({
          pages: 3,
          delay: [100, 200, 300],
          loop: 3,
          width: 15,
          height: 10,
        });
        expect(await look(data, [0, 0])).toEqual(MOVING);
      }
    }
  });

  it.each([
    ['flip', [{ op: 'flip' }], [30, 20], [1, 18]],
    ['flop', [{ op: 'flop' }], [30, 20], [28, 1]],
    ['rotate 90', [{ op: 'rotate', angle: 90 }], [20, 30], [18, 1]],
    ['rotate 180', [{ op: 'rotate', angle: 180 }], [30, 20], [28, 18]],
    [
      'crop, rotate, resize',
      [{ op: 'crop', left: 0, top: 0, width: 20, height: 20 }, { op: 'rotate', angle: 270 }, resize(10)],
      [10, 10],
      [0, 9],
    ],
    ['rotate 45', [{ op: 'rotate', angle: 45, background: 'black' }], [35, 35], [14, 3]],
  ] as const)('%s is done to every frame, in their order', async (_name, steps, [width, height], corner) => {
    const { data } = await renderOne(engine, await animation('gif'), { steps: [...steps], format: 'webp' });
    expect(await read(data)).toEqual({ pages: 3, delay: [100, 200, 300], loop: 3, width, height });
    expect(await look(data, [...corner])).toEqual(MOVING);
  });

  it('becomes a still where the format has no animation, and says so', async () => {
    const source = await animation('gif');
    const { images } = await engine.render(own(source), [
      output({ format: 'png' }),
      output({ format: 'webp' }),
    ]);
    expect(await read(images[0]!.data)).toMatchObject({ pages: 1, width: 30, height: 20 });
    expect(images[0]!.decisions).toEqual(['only the first of 3 frames: PNG shows one']);
    expect(await read(images[1]!.data)).toMatchObject({ pages: 3 });
    expect(await pixelOf(images[0]!.data, 15, 10)).toEqual([255, 0, 0, 255]);
  });

  it('is not cut elsewhere in every frame', async () => {
    const { data, decisions } = await renderOne(engine, await animation('gif'), {
      steps: [resize(10, { height: 10, fit: 'cover', position: 'attention' })],
      format: 'webp',
    });
    expect(decisions[0]).toContain('the centre is kept');
    expect(await read(data)).toMatchObject({ pages: 3, width: 10, height: 10 });
  });

  it('is turned upright frame by frame', async () => {
    const source = await sharp(await animation('webp'), { animated: true })
      .withMetadata({ orientation: 6 })
      .webp({ lossless: true })
      .toBuffer();
    expect((await sharp(source).metadata()).orientation).toBe(6);
    const { source: told, images } = await engine.render(own(source), [output({})]);
    expect(told).toMatchObject({ width: 20, height: 30 });
    expect(await read(images[0]!.data)).toEqual({
      pages: 3,
      delay: [100, 200, 300],
      loop: 3,
      width: 20,
      height: 30,
    });
    expect(await look(images[0]!.data, [18, 1])).toEqual(MOVING);
  });
});
