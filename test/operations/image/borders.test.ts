// Operations on what lies around a picture: trim, extend, flatten, round.

import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { picture, testPool } from '../../engines/pictures.ts';
import { made, near, patches } from './patches.ts';

const engine = testPool();
afterAll(() => engine.close());

const framed = () => patches(60, 50, 'white', { left: 10, top: 8, width: 30, height: 20, colour: 'navy' });

describe('trim', () => {
  it('finds the border by its colour', async () => {
    const { width, height, at } = await made(engine, await framed(), [{ op: 'trim' }]);
    expect([width, height]).toEqual([30, 20]);
    expect(at(0, 0)).toEqual([0, 0, 128, 255]);
  });

  it('leaves a margin, and what has another border', async () => {
    expect(await made(engine, await framed(), [{ op: 'trim', margin: 5 }])).toMatchObject({
      width: 40,
      height: 30,
    });
    expect(await made(engine, await framed(), [{ op: 'trim', background: 'red' }])).toMatchObject({
      width: 60,
      height: 50,
    });
  });

  it('leaves a picture of one colour, and a tiny one', async () => {
    expect(await made(engine, await patches(40, 30, 'white'), [{ op: 'trim' }])).toMatchObject({ width: 40 });
    expect(await made(engine, await patches(2, 2, 'white'), [{ op: 'trim' }])).toMatchObject({ width: 2 });
  });

  it('is followed by steps that go by what is left', async () => {
    const { width, height } = await made(engine, await framed(), [
      { op: 'trim' },
      { op: 'crop', left: 50, top: 0, width: 50, height: 100, unit: 'percent' },
      { op: 'resize', width: 30, enlarge: true },
    ]);
    expect([width, height]).toEqual([30, 40]);
    await expect(
      made(engine, await framed(), [{ op: 'trim' }, { op: 'crop', left: 35, top: 0, width: 5, height: 5 }]),
    ).rejects.toMatchObject({ code: 'crop_outside' });
  });

  it('does not open a way around the limit on pixels', async () => {
    await using small = testPool({ maxPixels: 100_000 });
    const line = await patches(200, 200, 'white', {
      left: 100,
      top: 0,
      width: 3,
      height: 200,
      colour: 'navy',
    });
    await expect(
      made(small, line, [{ op: 'trim' }, { op: 'resize', width: 200, enlarge: true }]),
    ).rejects.toMatchObject({ code: 'rendition_too_large' });
  });

  it('is left out of an animation, and says so', async () => {
    const frames = [await framed(), await patches(60, 50, 'red')];
    const source = await sharp(frames, { join: { animated: true } })
      .webp()
      .toBuffer();
    const { width, decisions } = await made(engine, source, [{ op: 'trim' }], { format: 'webp' });
    expect(width).toBe(60);
    expect(decisions).toContainEqual(expect.stringMatching(/^not trimmed/));
  });
});

describe('extend', () => {
  it('adds a colour on each side', async () => {
    const source = await patches(20, 10, 'navy');
    const step = { op: 'extend', top: 1, right: 2, bottom: 3, left: 4, background: 'orange' } as const;
    const { width, height, at } = await made(engine, source, [step]);
    expect([width, height]).toEqual([26, 14]);
    expect(at(3, 5)).toEqual([255, 165, 0, 255]);
    expect(at(4, 1)).toEqual([0, 0, 128, 255]);
    expect(at(24, 5)).toEqual([255, 165, 0, 255]);
    expect(at(10, 11)).toEqual([255, 165, 0, 255]);
  });

  it('has its colour also around a file that has only grey', async () => {
    const grey = await sharp(await patches(10, 10, '#808080'))
      .removeAlpha()
      .toColourspace('b-w')
      .png()
      .toBuffer();
    const framed = await made(engine, grey, [{ op: 'extend', top: 2, background: 'orange' }]);
    expect([framed.at(5, 0), framed.at(5, 5)]).toEqual([
      [255, 165, 0, 255],
      [128, 128, 128, 255],
    ]);
    const turned = await made(engine, grey, [{ op: 'rotate', angle: 45, background: 'orange' }]);
    expect(turned.at(0, 0)).toEqual([255, 165, 0, 255]);
  });

  it('draws out the edge, or mirrors', async () => {
    const source = await patches(20, 10, 'navy', { left: 19, top: 0, width: 1, height: 10, colour: 'red' });
    const edge = await made(engine, source, [{ op: 'extend', right: 5, fill: 'edge' }]);
    expect(edge.at(24, 5)).toEqual([255, 0, 0, 255]);
    const mirror = await made(engine, source, [{ op: 'extend', right: 5, fill: 'mirror' }]);
    expect(mirror.at(20, 5)).toEqual([255, 0, 0, 255]);
    expect(mirror.at(24, 5)).toEqual([0, 0, 128, 255]);
  });

  it('puts a soft copy behind, the picture itself untouched', async () => {
    const source = await picture(60, 40).png().toBuffer();
    const before = await made(engine, source, []);
    const { width, height, at } = await made(engine, source, [
      { op: 'extend', top: 10, bottom: 10, fill: 'blur' },
    ]);
    expect([width, height]).toEqual([60, 60]);
    expect(at(30, 30)).toEqual(before.at(30, 20));
    expect(at(58, 3)[0]).toBeGreaterThan(at(3, 3)[0]! + 60);
    expect(at(30, 3)[3]).toBe(255);
  });

  it('does every frame of an animation', async () => {
    const frames = await Promise.all(['red', 'blue'].map((colour) => patches(10, 10, colour)));
    const source = await sharp(frames, { join: { animated: true } })
      .webp({ lossless: true })
      .toBuffer();
    const { file } = await made(engine, source, [{ op: 'extend', bottom: 6, background: 'lime' }], {
      format: 'webp',
    });
    expect(await sharp(file).metadata()).toMatchObject({ pages: 2, width: 10, height: 16 });
    const second = await sharp(file, { page: 1 }).removeAlpha().raw().toBuffer();
    expect(near([...second.subarray(0, 3)], [0, 0, 255], 12)).toBe(true);
    expect(near([...second.subarray(-3)], [0, 255, 0], 12)).toBe(true);
  });
});

describe('flatten', () => {
  it('puts a colour behind, also for a JPEG, which is white otherwise', async () => {
    const source = await patches(20, 20, '#00000000');
    for (const format of ['png', 'jpeg'] as const) {
      const { at, decisions } = await made(engine, source, [{ op: 'flatten', background: 'orange' }], {
        format,
      });
      expect(near(at(10, 10), [255, 165, 0, 255])).toBe(true);
      expect(decisions).toEqual([]);
    }
  });
});

describe('round', () => {
  it('takes the corners away', async () => {
    const { at, width } = await made(engine, await patches(60, 40, 'red'), [{ op: 'round', radius: 10 }]);
    expect(width).toBe(60);
    for (const [x, y] of [
      [0, 0],
      [59, 0],
      [0, 39],
      [59, 39],
    ] as const) {
      expect(at(x, y)[3]).toBe(0);
    }
    expect(at(10, 0)).toEqual([255, 0, 0, 255]);
    expect(at(0, 20)).toEqual([255, 0, 0, 255]);
    // On the arc, and on either side of it.
    expect(at(1, 4)[3]).toBeGreaterThan(0);
    expect(at(1, 4)[3]).toBeLessThan(255);
    expect([at(2, 2)[3], at(3, 3)[3]]).toEqual([0, 255]);
  });

  it('cuts out a circle, as a square', async () => {
    const { at, width, height } = await made(engine, await patches(60, 40, 'red'), [
      { op: 'round', shape: 'circle' },
    ]);
    expect([width, height]).toEqual([40, 40]);
    expect([at(0, 0)[3], at(20, 20)[3], at(5, 5)[3], at(6, 6)[3]]).toEqual([0, 255, 0, 255]);
    expect(at(20, 0)[3]).toBeGreaterThan(245);
  });

  it('cuts out an ellipse, and shows white around it in a JPEG', async () => {
    const { at, width } = await made(
      engine,
      await patches(60, 40, 'red'),
      [{ op: 'round', shape: 'ellipse' }],
      {
        format: 'jpeg',
      },
    );
    expect(width).toBe(60);
    expect(near(at(0, 0), [255, 255, 255, 255], 30)).toBe(true);
    expect(near(at(30, 20), [255, 0, 0, 255], 8)).toBe(true);
  });

  it('takes half of the shorter side at most', async () => {
    const { at } = await made(engine, await patches(31, 9, 'red'), [{ op: 'round', radius: 500 }]);
    expect(at(0, 0)[3]).toBe(0);
    expect(at(15, 0)[3]).toBe(255);
  });
});
