// Every format into every format through the real engine, and what of a source is kept on request.

import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { difference, output, own, picture, pixelOf, renderOne, testPool } from './pictures.ts';
import type { OutputWish } from './pictures.ts';
import { ultraHdr } from './ultra-hdr.ts';

const engine = testPool();
afterAll(() => engine.close());

const IN = ['jpeg', 'png', 'webp', 'gif', 'avif', 'tiff'] as const;
const OUT = [...IN];
const original = picture(90, 60).png().toBuffer();
const source = async (format: (typeof IN)[number]) =>
  picture(90, 60)
    .toFormat(format, format === 'tiff' ? { compression: 'deflate' } : { quality: 95 })
    .toBuffer();

describe.each(IN)('from %s', (from) => {
  it.each(OUT)('to %s it is the same picture, without metadata', async (format) => {
    const { data, mediaType, width, height } = await renderOne(engine, await source(from), { format });
    expect({ mediaType, width, height }).toEqual({ mediaType: `image/${format}`, width: 90, height: 60 });
    const found = await sharp(data).metadata();
    expect(found.format).toBe(format === 'avif' ? 'heif' : format);
    expect(found.exif ?? found.xmp ?? found.iptc ?? found.icc).toBeUndefined();
    // 256 colours, or half the resolution of colour at a sharp edge, are what may be lost.
    expect((await difference(data, await original)).mean).toBeLessThan(6);
  });
});

describe('encoding options', () => {
  const facts = async (wish: OutputWish) => {
    const { data, decisions } = await renderOne(engine, await original, wish);
    return { data, decisions, ...(await sharp(data).metadata()) };
  };

  it('make progressive files', async () => {
    for (const format of ['jpeg', 'png'] as const) {
      expect((await facts({ format, progressive: true })).isProgressive, format).toBe(true);
      expect((await facts({ format })).isProgressive, format).toBe(false);
    }
    expect((await facts({ format: 'jpeg', mozjpeg: true })).isProgressive).toBe(true);
  });

  it('give a PNG a palette', async () => {
    expect((await facts({ format: 'png', palette: true })).isPalette).toBe(true);
  });

  it('keep every pixel where nothing may be lost', async () => {
    for (const format of ['webp', 'avif'] as const) {
      const { data } = await facts({ format, lossless: true });
      const most = format === 'webp' ? 0 : 0.5;
      expect((await difference(data, await original)).mean, format).toBeLessThanOrEqual(most);
    }
    const { data } = await facts({ format: 'webp', nearLossless: true, quality: 60 });
    const { mean } = await difference(data, await original);
    expect(mean).toBeGreaterThan(0);
    expect(mean).toBeLessThan(2);
  });

  it('choose the resolution of colour', async () => {
    expect((await facts({ format: 'jpeg', chroma: '4:4:4' })).chromaSubsampling).toBe('4:4:4');
    expect((await facts({ format: 'jpeg' })).chromaSubsampling).toBe('4:2:0');
    const [half, full] = [await facts({ format: 'avif', chroma: '4:2:0' }), await facts({ format: 'avif' })];
    expect(half.data.length).toBeLessThan(full.data.length);
  });

  it('spend more effort on smaller files, but not more than so many pixels afford', async () => {
    const noise = { type: 'gaussian', mean: 128, sigma: 40 } as const;
    const grain = await sharp({ create: { width: 300, height: 200, channels: 3, background: 'gray', noise } })
      .png()
      .toBuffer();
    const size = async (effort: number) =>
      (await renderOne(engine, grain, { format: 'webp', effort })).data.length;
    expect(await size(6)).toBeLessThan(await size(0));
    const large = await facts({
      steps: [{ op: 'resize', width: 900, enlarge: true }],
      format: 'gif',
      effort: 6,
    });
    expect(large.decisions).toEqual(['effort was lowered: GIF takes too long for so many pixels']);
  });

  it('go by the format where each has a quality of its own', async () => {
    const sizes = await Promise.all(
      [{ quality: 90, qualityWebp: 10 }, { quality: 90 }].map(
        async (wish) => (await facts({ format: 'webp', ...wish })).data.length,
      ),
    );
    expect(sizes[0]).toBeLessThan(sizes[1]!);
  });

  it('say so when the format that came out has none of it', async () => {
    const { images } = await engine.render(own(await original), [output({ format: 'auto', mozjpeg: true })], {
      accepted: { webp: 1 },
    });
    expect(images[0]?.decisions).toEqual(['format=auto: WebP', 'mozjpeg was left out: WebP has none of it']);
  });
});

describe('colour', () => {
  const pure = { create: { width: 32, height: 32, channels: 3, background: 'rgb(200,40,30)' } } as const;

  it.each(['jpeg', 'png', 'webp', 'avif', 'tiff'] as const)(
    'a wide profile becomes sRGB, or is kept in a %s',
    async (format) => {
      const wide = await sharp(pure).withIccProfile('p3').png().toBuffer();
      const narrow = await renderOne(engine, wide, { format });
      expect((await sharp(narrow.data).metadata()).icc).toBeUndefined();
      expect(distance(await pixelOf(narrow.data, 9, 9), [200, 40, 30])).toBeLessThan(12);

      const kept = await renderOne(engine, wide, { format, keepProfile: true });
      const found = await sharp(kept.data).metadata();
      expect(kept.decisions).toEqual([]);
      expect(found.icc?.length).toBe((await sharp(wide).metadata()).icc?.length);
      // The same numbers as in the file, which mean the same colour by the same profile.
      const numbers = await sharp(wide).keepIccProfile().raw().toBuffer();
      const now = await sharp(kept.data).keepIccProfile().raw().toBuffer();
      expect(distance([...now.subarray(300, 303)], [...numbers.subarray(300, 303)])).toBeLessThan(12);
    },
  );

  it('a kept profile survives a search', async () => {
    const wide = await picture(90, 60).withIccProfile('p3').png().toBuffer();
    const { data } = await renderOne(engine, wide, { format: 'jpeg', keepProfile: true, maxBytes: 1500 });
    const found = await sharp(data).metadata();
    expect(found.icc).toBeDefined();
  });

  it('CMYK becomes sRGB, or stays where the format can hold it', async () => {
    const ink = await sharp(pure)
      .toColourspace('cmyk')
      .withIccProfile('cmyk')
      .jpeg({ quality: 95 })
      .toBuffer();
    expect((await sharp(ink).metadata()).space).toBe('cmyk');
    for (const format of ['jpeg', 'png', 'webp', 'avif'] as const) {
      const { data } = await renderOne(engine, ink, { format });
      expect((await sharp(data).metadata()).space, format).toBe('srgb');
      expect(distance(await pixelOf(data, 9, 9), [200, 40, 30]), format).toBeLessThan(40);
    }
    const kept = await renderOne(engine, ink, { format: 'jpeg', keepProfile: true });
    expect(await sharp(kept.data).metadata()).toMatchObject({ space: 'cmyk', hasProfile: true });
    expect((await difference(kept.data, ink)).mean).toBeLessThan(6);
    expect((await renderOne(engine, ink, { format: 'png', keepProfile: true })).decisions).toEqual([
      'keepProfile was left out: PNG holds no CMYK',
    ]);
  });

  it('steps that need several passes leave the profile out, and say so', async () => {
    const wide = await picture(90, 60).withIccProfile('p3').png().toBuffer();
    const { decisions } = await renderOne(engine, wide, {
      steps: [
        { op: 'rotate', angle: 45 },
        { op: 'rotate', angle: 45 },
      ],
      format: 'png',
      keepProfile: true,
    });
    expect(decisions.join()).toMatch(/^keepProfile was left out: these steps need several passes/);
  });

  it('16 bits are kept on request', async () => {
    const deep = await picture(60, 40).toColourspace('rgb16').png().toBuffer();
    for (const format of ['png', 'tiff'] as const) {
      const { data, decisions } = await renderOne(engine, deep, {
        steps: [{ op: 'resize', width: 30 }],
        format,
        depth: 16,
      });
      expect(decisions).toEqual([]);
      expect((await sharp(data).metadata()).depth, format).toBe('ushort');
      const flat = await renderOne(engine, deep, { steps: [{ op: 'resize', width: 30 }], format });
      expect((await sharp(flat.data).metadata()).depth, format).toBe('uchar');
      expect((await difference(data, flat.data)).mean).toBeLessThan(2);
    }
    expect((await renderOne(engine, await original, { format: 'png', depth: 16 })).decisions).toEqual([
      'depth=16 was left out: the source has 8 bits a channel',
    ]);
  });

  it('16 bits of a wide profile come out in the right colours', async () => {
    const deep = await sharp(pure).toColourspace('rgb16').withIccProfile('p3').png().toBuffer();
    for (const wish of [{}, { depth: 16 }] as const) {
      const { data } = await renderOne(engine, deep, { format: 'png', ...wish });
      const shown = await sharp(data).toColourspace('srgb').raw().toBuffer();
      expect(distance([...shown.subarray(0, 3)], [200, 40, 30]), JSON.stringify(wish)).toBeLessThan(6);
    }
  });
});

describe('an Ultra HDR photo', () => {
  const photo = (async () => {
    const base = await picture(240, 160)
      .withExif({ IFD0: { Make: 'Secretcam' }, IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '48/1 51/1 30/1' } })
      .jpeg()
      .toBuffer();
    return ultraHdr(base, await picture(60, 40).greyscale().jpeg().toBuffer());
  })();

  it('is a plain JPEG, unless its gain map is asked for', async () => {
    expect((await sharp(await photo).metadata()).gainMap).toBeDefined();
    const resize = { op: 'resize', width: 120 } as const;
    const plain = await renderOne(engine, await photo, { steps: [resize], format: 'jpeg' });
    expect((await sharp(plain.data).metadata()).gainMap).toBeUndefined();
    const kept = await renderOne(engine, await photo, { steps: [resize], format: 'jpeg', keepGainMap: true });
    expect(kept).toMatchObject({ width: 120, height: 80, decisions: [] });
    const found = await sharp(kept.data).metadata();
    expect(await sharp(found.gainMap?.image).metadata()).toMatchObject({ width: 30, height: 20 });
    expect((await difference(kept.data, plain.data)).mean).toBeLessThan(6);
    expect(Buffer.from(kept.data).includes('Secretcam')).toBe(false);
    expect(Buffer.from(found.exif ?? []).includes('N\0')).toBe(false);
  });

  it('loses it where that cannot be, and says so', async () => {
    const tell = async (source: Uint8Array, wish: OutputWish) =>
      (await renderOne(engine, source, { format: 'jpeg', keepGainMap: true, ...wish })).decisions.at(-1);
    expect(await tell(await photo, { steps: [{ op: 'rotate', angle: 5 }] })).toMatch(/several passes/);
    const attentive = { op: 'resize', width: 50, height: 50, fit: 'cover', position: 'entropy' } as const;
    expect(await tell(await photo, { steps: [attentive] })).toBe(
      'keepGainMap was left out: these steps do not go together with it',
    );
    expect(await tell(await photo, { quality: 'auto' })).toMatch(/^jpeg: quality/);
    expect(await tell(await picture(9, 9).jpeg().toBuffer(), {})).toBe(
      'keepGainMap was left out: the source has none',
    );
  });
});

/** The largest difference of any channel. */
function distance(one: readonly number[], other: readonly number[]): number {
  return Math.max(...other.map((value, channel) => Math.abs(value - (one[channel] ?? Infinity))));
}
