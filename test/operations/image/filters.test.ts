// Operations that look at neighbours: blur, sharpen, median, pixelate.

import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { difference, picture, renderOne, testPool } from '../../engines/pictures.ts';
import { made, near, patches } from './patches.ts';

const engine = testPool();
afterAll(() => engine.close());

const edge = () => patches(80, 40, 'black', { left: 40, top: 0, width: 40, height: 40, colour: 'white' });

describe('blur', () => {
  it('makes a slope of an edge, the wider the larger sigma is', async () => {
    const { at } = await made(engine, await edge(), [{ op: 'blur', sigma: 3 }]);
    expect(at(10, 20)[0]).toBe(0);
    expect(at(37, 20)[0]).toBeGreaterThan(10);
    expect(at(42, 20)[0]).toBeLessThan(245);
    const far = await made(engine, await edge(), [{ op: 'blur', sigma: 20 }]);
    expect(far.at(20, 20)[0]).toBeGreaterThan(20);
  });

  it.each([8.5, 20, 45])('of sigma %d, done with fewer pixels, looks like the real one', async (sigma) => {
    const source = await picture(300, 200).png().toBuffer();
    const mine = await renderOne(engine, source, { steps: [{ op: 'blur', sigma }], format: 'png' });
    const real = await sharp(source).blur(sigma).png().toBuffer();
    expect((await difference(mine.data, real)).mean).toBeLessThan(4);
  });

  it('does not let the frames of an animation run into one another', async () => {
    const frames = ['red', 'blue'].map((background) =>
      sharp({ create: { width: 20, height: 20, channels: 3, background } })
        .png()
        .toBuffer(),
    );
    const source = await sharp(await Promise.all(frames), { join: { animated: true } })
      .webp({ lossless: true })
      .toBuffer();
    const { images } = await engine.render(new Uint8Array(source), [
      { type: 'image', steps: [{ op: 'blur', sigma: 4 }], format: 'webp' },
    ]);
    const second = await sharp(images[0]!.data, { page: 1 }).ensureAlpha().raw().toBuffer();
    expect(near([...second.subarray(0, 3)], [0, 0, 255], 12)).toBe(true);
  });
});

describe('sharpen', () => {
  it('makes an edge steeper', async () => {
    const soft = await sharp(
      await patches(80, 40, '#505050', { left: 40, top: 0, width: 40, height: 40, colour: '#a0a0a0' }),
    )
      .blur(2)
      .png()
      .toBuffer();
    const before = await made(engine, soft, []);
    const after = await made(engine, soft, [{ op: 'sharpen', sigma: 2 }]);
    const step = ({ at }: typeof before) => at(44, 20)[0]! - at(35, 20)[0]!;
    expect(step(after)).toBeGreaterThan(step(before) + 5);
    expect(near(after.at(5, 5), before.at(5, 5))).toBe(true);
  });
});

describe('median', () => {
  it('removes a speck and keeps an edge', async () => {
    const source = await patches(
      60,
      40,
      'black',
      { left: 30, top: 0, width: 30, height: 40, colour: 'white' },
      { left: 10, top: 10, width: 1, height: 1, colour: 'white' },
    );
    const { at } = await made(engine, source, [{ op: 'median', size: 3 }]);
    expect(at(10, 10)).toEqual([0, 0, 0, 255]);
    expect([at(29, 20)[0], at(30, 20)[0]]).toEqual([0, 255]);
  });

  it('is refused where it would take too long', async () => {
    const large = await sharp({ create: { width: 4000, height: 3500, channels: 3, background: 'red' } })
      .png()
      .toBuffer();
    await expect(made(engine, large, [{ op: 'median', size: 15 }])).rejects.toMatchObject({
      code: 'rendition_too_large',
      message: expect.stringContaining('median') as string,
    });
  });
});

describe('pixelate', () => {
  it('makes squares of the mean colour, to the edge', async () => {
    const { at } = await made(engine, await edge(), [{ op: 'pixelate', size: 16 }]);
    // The third square reaches from 32 to 48: half of it is black.
    for (const x of [32, 40, 47]) expect(near(at(x, 3), [128, 128, 128, 255], 1)).toBe(true);
    expect(at(31, 3)[0]).toBe(0);
    expect(at(48, 39)[0]).toBe(255);
  });

  it('does not mix in the colour of what is transparent', async () => {
    const source = await patches(20, 20, '#00ff0000', {
      left: 0,
      top: 0,
      width: 5,
      height: 20,
      colour: 'red',
    });
    const { at } = await made(engine, source, [{ op: 'pixelate', size: 10 }]);
    expect(near(at(8, 8), [255, 0, 0, 128], 1)).toBe(true);
  });

  it('of a square larger than the picture leaves one colour', async () => {
    const { at, width, height } = await made(engine, await edge(), [{ op: 'pixelate', size: 1000 }]);
    expect([width, height]).toEqual([80, 40]);
    expect(at(0, 0)).toEqual(at(79, 39));
  });
});
