// composite: another picture on top, where, how large, how much of it, and which other pictures are refused.

import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import type { SourceReader } from '../../../src/engine-contracts.ts';
import { readAssets, withAssets } from '../../../src/jobs/assets.ts';
import { assetsOf } from '../../../src/operations/assets.ts';
import { output, own, testPool } from '../../engines/pictures.ts';
import { made, near, patches } from './patches.ts';
import type { Step } from './patches.ts';

const engine = testPool();
afterAll(() => engine.close());

const MARK = 'upload:mark';
const composite = (params: object = {}): Step => ({ op: 'composite', source: MARK, ...params });
const base = () => patches(100, 60, 'black');
const mark = () => patches(20, 10, 'red');

async function marked(params: object, asset?: Uint8Array, source?: Uint8Array, format?: 'jpeg') {
  return made(engine, source ?? (await base()), [composite(params)], {
    assets: { [MARK]: asset ?? (await mark()) },
    ...(format && { format }),
  });
}

const RED = [255, 0, 0, 255];
const BLACK = [0, 0, 0, 255];

describe('composite', () => {
  it('goes into the lower right corner unless told otherwise', async () => {
    const { at } = await marked({});
    expect([at(99, 59), at(80, 50), at(79, 50), at(80, 49)]).toEqual([RED, RED, BLACK, BLACK]);
  });

  it.each([
    ['northwest', 3, 2, 3, 2],
    ['top right', 3, 2, 96, 2],
    ['west', 0, 0, 0, 25],
    ['centre', 0, 0, 50, 30],
    ['southeast', 5, 4, 94, 55],
  ])('lies at %s, %d and %d inwards', async (gravity, x, y, seenX, seenY) => {
    const { at } = await marked({ gravity, x, y });
    expect(at(seenX, seenY)).toEqual(RED);
  });

  it('reaches outside, or lies there', async () => {
    const { at } = await marked({ gravity: 'northwest', x: -15, y: -5 });
    expect([at(4, 4), at(5, 0), at(0, 5)]).toEqual([RED, BLACK, BLACK]);
    const none = await marked({ x: -500 });
    expect(none.at(99, 59)).toEqual(BLACK);
  });

  it('is scaled by the width of the picture, and never larger than the picture', async () => {
    const half = await marked({ scale: 0.5, gravity: 'northwest' });
    expect([half.at(48, 23), half.at(52, 5), half.at(5, 27)]).toEqual([RED, BLACK, BLACK]);
    const huge = await marked({ gravity: 'centre' }, await patches(400, 400, 'red'));
    expect([huge.at(50, 0), huge.at(50, 59), huge.at(10, 30)]).toEqual([RED, RED, BLACK]);
  });

  it('shows through', async () => {
    const { at } = await marked({ opacity: 0.5 });
    expect(near(at(90, 55), [128, 0, 0, 255], 1)).toBe(true);
    const twice = await marked({ opacity: 0.5 }, await patches(20, 10, '#ff000080'));
    expect(near(twice.at(90, 55), [64, 0, 0, 255], 1)).toBe(true);
  });

  it('is repeated, with gaps', async () => {
    const { at } = await marked({ tile: true, gravity: 'northwest', x: 10, y: 5 });
    expect([at(0, 0), at(25, 0), at(30, 0), at(0, 12), at(0, 15), at(95, 50)]).toEqual([
      RED,
      BLACK,
      RED,
      BLACK,
      RED,
      RED,
    ]);
  });

  it('mixes by its blend mode', async () => {
    const grey = await patches(100, 60, '#808080');
    const multiplied = await marked({ blend: 'multiply' }, await patches(20, 10, '#808080'), grey);
    expect(near(multiplied.at(90, 55), [64, 64, 64, 255], 1)).toBe(true);
    const masked = await marked({ blend: 'dest-out', gravity: 'centre' });
    expect([masked.at(50, 30)[3], masked.at(5, 5)[3]]).toEqual([0, 255]);
    const kept = await marked({ blend: 'dest-in', gravity: 'centre' });
    expect([kept.at(50, 30)[3], kept.at(5, 5)[3]]).toEqual([255, 0]);
  });

  it('leaves an opaque picture opaque, and a transparent one transparent', async () => {
    const opaque = await sharp(await base())
      .removeAlpha()
      .png()
      .toBuffer();
    const { file } = await marked({}, undefined, opaque);
    expect((await sharp(file).metadata()).hasAlpha).toBe(false);
    const clear = await marked({}, undefined, await patches(100, 60, '#00000000'));
    expect([clear.at(5, 5)[3], clear.at(90, 55)]).toEqual([0, RED]);
  });

  it('is upright, whatever its EXIF says', async () => {
    const lying = await sharp(await patches(20, 10, 'red'))
      .jpeg({ quality: 100 })
      .withMetadata({ orientation: 6 })
      .toBuffer();
    const { at } = await marked({ gravity: 'northwest' }, lying);
    expect([near(at(5, 18), RED, 6), near(at(15, 5), BLACK, 6)]).toEqual([true, true]);
  });

  it('goes on every frame of an animation', async () => {
    const frames = await Promise.all(['black', 'navy'].map((colour) => patches(100, 60, colour)));
    const source = await sharp(frames, { join: { animated: true } })
      .webp({ lossless: true })
      .toBuffer();
    const { file } = await made(engine, source, [composite()], {
      format: 'webp',
      assets: { [MARK]: await mark() },
    });
    for (const page of [0, 1]) {
      const pixels = await sharp(file, { page }).removeAlpha().raw().toBuffer();
      expect(near([...pixels.subarray(-3)], [255, 0, 0], 12)).toBe(true);
    }
  });
});

describe('other pictures', () => {
  it('are found in the steps, each once', () => {
    const other = composite({ source: 'https://example.com/a.png' });
    expect(assetsOf([output({ steps: [composite(), other] }), output({ steps: [composite()] })])).toEqual([
      MARK,
      'https://example.com/a.png',
    ]);
    expect(assetsOf([output({ steps: [{ op: 'flip' }] })])).toEqual([]);
  });

  it('are screened as a source is, and named in what is said of them', async () => {
    const source = await base();
    await expect(marked({}, Buffer.from('hello'))).rejects.toMatchObject({
      code: 'media_type_unsupported',
      message: expect.stringMatching(/^The picture upload:mark: /) as string,
    });
    const cut = (
      await sharp(await patches(300, 300, 'red'))
        .jpeg()
        .toBuffer()
    ).subarray(0, 500);
    await expect(marked({}, cut)).rejects.toMatchObject({
      code: 'image_unreadable',
      message: expect.stringMatching(/^The picture upload:mark: /) as string,
    });
    await using small = testPool({ maxPixels: 10_000 });
    await expect(
      made(small, source, [composite()], { assets: { [MARK]: await patches(200, 200, 'red') } }),
    ).rejects.toMatchObject({ code: 'image_too_large' });
    await expect(made(engine, source, [composite()])).rejects.toMatchObject({ code: 'source_not_found' });
  });

  it('are read by the engine that is used, once each, within the limit', async () => {
    const asked: string[] = [];
    const bytes = own(await mark());
    const reader: SourceReader = {
      async read(reference, { tenant, maxBytes }) {
        asked.push(`${tenant} ${reference} ${maxBytes}`);
        return { bytes, version: '1' };
      },
    };
    const outputs = [
      output({ steps: [composite()], format: 'png' }),
      output({ steps: [composite()], format: 'png' }),
    ];
    const { images } = await withAssets(engine, reader, { maxBytes: 999 }).render(
      own(await base()),
      outputs,
      {
        tenant: 'me',
      },
    );
    expect(asked).toEqual([`me ${MARK} 999`]);
    for (const { data } of images) {
      const last = (await sharp(data).ensureAlpha().raw().toBuffer()).subarray(-4);
      expect([...last]).toEqual(RED);
    }
    const many = Array.from({ length: 11 }, (_, index) => composite({ source: `upload:${index}` }));
    await expect(
      readAssets([output({ steps: many })], reader, { tenant: 'me', maxBytes: 1 }),
    ).rejects.toMatchObject({
      code: 'recipe_invalid',
    });
    expect(asked).toHaveLength(1);
  });

  it.each([
    'file:///etc/passwd',
    'http://example.com/a.png',
    '/etc/passwd',
    'upload:../x',
    'upload:',
    'https://a b',
  ])('are not named %s', (source) => {
    expect(() => output({ steps: [composite({ source })] })).toThrow();
  });
});
