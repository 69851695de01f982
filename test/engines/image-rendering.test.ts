// What comes out of the image engine, compared with pictures whose look is known.

import sharp from 'sharp';
import type { Sharp } from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import type { OutputWish } from './pictures.ts';
import { difference, output, own, picture, pixelOf, renderOne, testPool } from './pictures.ts';

const engine = testPool();
afterAll(() => engine.close());

const resize = (width: number, more: object = {}) => ({ op: 'resize', width, ...more }) as const;

describe('orientation and metadata', () => {
  const upright = picture(96, 64);
  /** Stored so that the orientation makes it upright again. */
  const stored: Record<number, () => Sharp> = {
    1: () => upright.clone(),
    2: () => upright.clone().flop(),
    3: () => upright.clone().rotate(180),
    4: () => upright.clone().flip(),
    5: () => upright.clone().flop().rotate(270),
    6: () => upright.clone().rotate(270),
    7: () => upright.clone().flop().rotate(90),
    8: () => upright.clone().rotate(90),
  };

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('EXIF orientation %i comes out upright', async (orientation) => {
    const laid = await stored[orientation]!().png().toBuffer();
    for (const format of ['jpeg', 'webp', 'png', 'tiff'] as const) {
      const source = await sharp(laid)
        .withMetadata({ orientation })
        .toFormat(format, { quality: 100 })
        .toBuffer();
      for (const steps of [
        [],
        [resize(48)],
        [{ op: 'crop', left: 0, top: 0, width: 96, height: 64 } as const],
      ]) {
        const { images, source: told } = await engine.render(own(source), [output({ steps, format: 'png' })]);
        expect(told).toMatchObject({ width: 96, height: 64 });
        const { width } = images[0]!;
        const expected = await upright.clone().png().toBuffer();
        const { mean } = await difference(
          images[0]!.data,
          await sharp(expected).resize(width).png().toBuffer(),
        );
        expect(mean, `${format} ${JSON.stringify(steps)}`).toBeLessThan(2.5);
        expect((await sharp(images[0]!.data).metadata()).orientation).toBeUndefined();
      }
    }
  });

  it('EXIF, GPS, XMP, IPTC and the colour profile are gone', async () => {
    const source = await upright
      .clone()
      .jpeg()
      .withExif({ IFD0: { Copyright: 'secret owner' }, IFD3: { GPSLatitude: '48/1 51/1 0/1' } })
      .withXmp('<x:xmpmeta xmlns:x="adobe:ns:meta/"><secret/></x:xmpmeta>')
      .withIccProfile('p3')
      .toBuffer();
    expect(source.includes('secret')).toBe(true);
    for (const format of ['jpeg', 'png', 'webp', 'avif', 'gif'] as const) {
      for (const count of [1, 2]) {
        const outputs = Array.from({ length: count }, () => output({ steps: [resize(50)], format }));
        const { images } = await engine.render(own(source), outputs);
        const { exif, xmp, iptc, icc, orientation } = await sharp(images[0]!.data).metadata();
        expect({ exif, xmp, iptc, icc, orientation }, format).toEqual({});
        expect(Buffer.from(images[0]!.data).includes('secret')).toBe(false);
      }
    }
  });

  it('other colour spaces become sRGB', async () => {
    const red = sharp({
      create: { width: 40, height: 40, channels: 3, background: { r: 200, g: 60, b: 40 } },
    });
    const inks = await red
      .clone()
      .toColourspace('cmyk')
      .withIccProfile('cmyk')
      .jpeg({ quality: 100 })
      .toBuffer();
    expect((await sharp(inks).metadata()).space).toBe('cmyk');
    const wide = await red.clone().withIccProfile('p3').png().toBuffer();
    const grey = await red.clone().greyscale().toColourspace('b-w').png().toBuffer();
    const deep = await red.clone().toColourspace('rgb16').png().toBuffer();
    for (const [source, [r, g, b]] of [
      [inks, [200, 60, 40]],
      [wide, [200, 60, 40]],
      [grey, [104, 104, 104]],
      [deep, [200, 60, 40]],
    ] as const) {
      const { data } = await renderOne(engine, source, { steps: [resize(20)], format: 'png' });
      const { space, icc } = await sharp(data).metadata();
      expect({ space, icc }).toEqual({ space: 'srgb', icc: undefined });
      const pixel = await pixelOf(data, 10, 10);
      for (const [index, value] of [r, g, b].entries())
        expect(Math.abs(pixel[index]! - value)).toBeLessThan(16);
    }
  });
});

describe('formats', () => {
  it.each([
    ['jpeg', 'image/jpeg', []],
    ['png', 'image/png', []],
    ['webp', 'image/webp', []],
    ['avif', 'image/avif', []],
    ['gif', 'image/gif', []],
    ['tiff', 'image/jpeg', ['written as JPEG: browsers do not show image/tiff']],
  ] as const)(
    'a %s stays what it is, or becomes what browsers show',
    async (format, mediaType, decisions) => {
      const source = await picture(60, 40).toFormat(format).toBuffer();
      const rendition = await renderOne(engine, source, {});
      expect(rendition).toMatchObject({ mediaType, width: 60, height: 40, decisions });
      const is = await sharp(rendition.data).metadata();
      expect(is.format === 'heif' ? 'avif' : is.format).toBe(mediaType.slice(6));
      expect((await difference(rendition.data, await picture(60, 40).png().toBuffer())).mean).toBeLessThan(8);
    },
  );

  it('a transparent TIFF becomes a PNG', async () => {
    const source = await picture(60, 40, true).tiff({ compression: 'deflate' }).toBuffer();
    expect((await renderOne(engine, source, {})).mediaType).toBe('image/png');
  });

  it('a JPEG has white where the source is transparent, and says so', async () => {
    const hole = {
      create: { width: 40, height: 30, channels: 4, background: { r: 0, g: 0, b: 255, alpha: 0 } },
    } as const;
    for (const format of ['png', 'webp', 'gif', 'avif', 'tiff'] as const) {
      const source = await sharp(hole)
        .toFormat(format, format === 'tiff' ? { compression: 'deflate' } : {})
        .toBuffer();
      for (const count of [1, 2]) {
        const { images } = await engine.render(
          own(source),
          Array.from({ length: count }, () => output({ steps: [resize(20)], format: 'jpeg' })),
        );
        const [{ data, decisions }] = images as unknown as [{ data: Uint8Array; decisions: string[] }];
        expect(await pixelOf(data, 10, 7), format).toEqual([255, 255, 255, 255]);
        expect(decisions).toEqual(['what was transparent is white: JPEG has no transparency']);
      }
    }
  });

  it('padding is transparent where it can be, white in a JPEG, and what was asked for', async () => {
    const source = await picture(60, 20).png().toBuffer();
    const contain = (background?: string) => [
      resize(40, { height: 40, fit: 'contain', ...(background && { background }) }),
    ];
    const top = async (wish: OutputWish) => pixelOf((await renderOne(engine, source, wish)).data, 20, 2);
    expect((await top({ steps: contain(), format: 'png' }))[3]).toBe(0);
    expect(Math.min(...(await top({ steps: contain(), format: 'jpeg' })))).toBeGreaterThan(245);
    expect(await top({ steps: contain('00f'), format: 'png' })).toEqual([0, 0, 255, 255]);
    expect(await top({ steps: contain('ff000080'), format: 'png' })).toEqual([255, 0, 0, 128]);
    expect(await top({ steps: [{ op: 'rotate', angle: 45, background: 'lime' }], format: 'png' })).toEqual([
      0, 255, 0, 255,
    ]);
  });

  it('quality makes files larger and smaller; a PNG gets a palette', async () => {
    const source = await picture(200, 150).jpeg({ quality: 100 }).toBuffer();
    for (const format of ['jpeg', 'webp', 'avif'] as const) {
      const sizes = await Promise.all(
        [20, 95].map(async (quality) => (await renderOne(engine, source, { format, quality })).data.length),
      );
      expect(sizes[0]).toBeLessThan(sizes[1]! / 1.5);
    }
    const { data } = await renderOne(engine, source, { format: 'png', quality: 60 });
    expect((await sharp(data).metadata()).isPalette).toBe(true);
    expect((await renderOne(engine, source, { format: 'gif', quality: 60 })).decisions).toEqual([
      'quality was left out: GIF has none',
    ]);
    const large = await renderOne(engine, source, {
      steps: [resize(3600, { enlarge: true })],
      format: 'png',
      quality: 60,
    });
    expect(large.decisions).toEqual(['quality was left out: a palette for so many pixels takes too long']);
    expect((await sharp(large.data).metadata()).isPalette).toBe(false);
  });
});

describe('several renditions of one decode', () => {
  const wishes: OutputWish[] = [
    { steps: [resize(300)], format: 'png' },
    { steps: [resize(120, { height: 120, fit: 'cover', position: 'right' })], format: 'png' },
    {
      steps: [resize(90, { height: 200, fit: 'contain', background: 'white' }), { op: 'flip' }],
      format: 'png',
    },
    {
      steps: [
        resize(64),
        { op: 'rotate', angle: 90 },
        { op: 'crop', left: 1, top: 2, width: 30, height: 40 },
      ],
      format: 'png',
    },
  ];
  const all: OutputWish[] = [
    ...wishes,
    { steps: [{ op: 'crop', left: 50, top: 80, width: 400, height: 300 }], format: 'png' },
    { format: 'png' },
  ];
  const detailed = () =>
    picture(1501, 1003).composite([
      {
        input: {
          create: {
            width: 700,
            height: 500,
            channels: 3,
            background: 'gray',
            noise: { type: 'gaussian', mean: 128, sigma: 40 },
          },
        },
      },
    ]);

  it.each([
    ['a JPEG, shrunk on load', 'jpeg', wishes, 6],
    ['a JPEG, whole', 'jpeg', all, 1],
    ['a PNG', 'png', all, 1],
    ['a WebP', 'webp', all, 1],
  ] as const)('equals single requests: %s', async (_what, format, outputs, orientation) => {
    const source = await sharp(await detailed().png().toBuffer())
      .withMetadata({ orientation })
      .toFormat(format)
      .toBuffer();
    const { images } = await engine.render(own(source), outputs.map(output));
    for (const [index, wish] of outputs.entries()) {
      const single = await renderOne(engine, source, wish);
      const { mean, size } = await difference(images[index]!.data, single.data, { stretch: true });
      expect(mean, `${JSON.stringify(wish)} ${size}`).toBeLessThan(2);
      expect(Math.abs(images[index]!.width - single.width)).toBeLessThanOrEqual(1);
      expect(Math.abs(images[index]!.height - single.height)).toBeLessThanOrEqual(1);
    }
  });
});
