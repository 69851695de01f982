// What the engine tells of pictures: from the header alone, from metadata, and from pixels.

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import sharp from 'sharp';
import type { Sharp } from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import type { FactName } from '../../src/operations/image-facts.ts';
import { factsAskedFor } from '../../src/operations/image-facts.ts';
import { own, picture, testPool } from './pictures.ts';

const samples = resolve(import.meta.dirname, '../..', process.env['MEDIA_SAMPLES'] ?? '../shared/media');
const pool = testPool();
afterAll(() => pool.close());

const all = factsAskedFor({});
const look = (source: Uint8Array, fields: readonly FactName[] = all) => pool.inspect(own(source), fields);
const bitsApart = (a = '', b = ''): number =>
  (BigInt(`0x${a}`) ^ BigInt(`0x${b}`)).toString(2).replaceAll('0', '').length;

describe('what stands in the header', () => {
  it('is told without a thread, and leaves the bytes where they are', async () => {
    await using none = testPool({ entry: new URL('no-such-thread.ts', import.meta.url) });
    const source = own(await picture(60, 40).jpeg().toBuffer());
    const bytes = source.byteLength;
    expect(await none.inspect(source, ['width', 'height', 'format', 'frames', 'bytes'])).toEqual({
      width: 60,
      height: 40,
      format: 'jpeg',
      frames: 1,
      bytes,
    });
    expect(source.byteLength).toBe(bytes);
  });

  it('is upright, whatever the orientation', async () => {
    const sideways = await picture(60, 40).withMetadata({ orientation: 6 }).jpeg().toBuffer();
    expect(await look(sideways, ['width', 'height', 'orientation'])).toEqual({
      width: 40,
      height: 60,
      orientation: 6,
    });
  });
});

describe('all of it', () => {
  it('is as it should be for a plain picture', async () => {
    const source = await sharp({ create: { width: 300, height: 200, channels: 3, background: '#3366aa' } })
      .png()
      .toBuffer();
    const facts = await look(source);
    expect(facts).toEqual({
      format: 'png',
      mediaType: 'image/png',
      bytes: source.length,
      width: 300,
      height: 200,
      frames: 1,
      orientation: 1,
      alpha: false,
      animation: null,
      colourModel: 'rgb',
      bitDepth: 8,
      icc: null,
      exif: null,
      opaque: true,
      averageColour: '#3366aa',
      dominantColour: '#3366aa',
      palette: [{ colour: '#3366aa', share: 1 }],
      blurhash: expect.stringMatching(/^[!-~]{28}$/) as unknown,
      thumbhash: expect.stringMatching(/^[\w+/]+=*$/) as unknown,
      dhash: '0000000000000000',
      sharpness: 0,
    });
  });

  it('is only what was asked for', async () => {
    const source = await picture(90, 60).jpeg().toBuffer();
    for (const name of all) {
      expect(Object.keys(await look(source, [name])), name).toEqual([name]);
    }
  });
});

describe('metadata', () => {
  const exif = {
    IFD0: { Make: 'M', Copyright: 'Ann' },
    IFD3: {
      GPSLatitudeRef: 'N',
      GPSLatitude: '52/1 30/1 0/1',
      GPSLongitudeRef: 'E',
      GPSLongitude: '13/1 24/1 0/1',
    },
  };
  it.each(['jpeg', 'png', 'webp', 'avif'] as const)(
    'of a %s are read, but no place unless asked',
    async (format) => {
      const source = await picture(64, 48).withExif(exif).toFormat(format).toBuffer();
      const facts = await look(source);
      expect(facts.exif).toMatchObject({ make: 'M', copyright: 'Ann' });
      expect(JSON.stringify(facts)).not.toMatch(/gps|latitude/i);
      expect(await look(source, ['gps'])).toEqual({ gps: { latitude: 52.5, longitude: 13.4 } });
    },
  );

  it('tells profile, depth and model', async () => {
    const deep = await picture(64, 48).toColourspace('rgb16').withIccProfile('p3').png().toBuffer();
    expect(await look(deep, ['icc', 'bitDepth', 'colourModel'])).toEqual({
      icc: { name: expect.stringContaining('P3') as unknown, space: 'RGB' },
      bitDepth: 16,
      colourModel: 'rgb',
    });
    const print = await picture(64, 48).withIccProfile('cmyk').toColourspace('cmyk').jpeg().toBuffer();
    expect(await look(print, ['icc', 'colourModel'])).toMatchObject({
      icc: { space: 'CMYK' },
      colourModel: 'cmyk',
    });
    const grey = await picture(64, 48).toColourspace('b-w').jpeg().toBuffer();
    expect(await look(grey, ['colourModel', 'averageColour'])).toMatchObject({ colourModel: 'grey' });
  });

  it('tells how long an animation lasts', async () => {
    const frames = await Promise.all(
      ['red', 'green', 'blue'].map((background) =>
        sharp({ create: { width: 20, height: 10, channels: 3, background } })
          .png()
          .toBuffer(),
      ),
    );
    const source = await sharp(frames, { join: { animated: true } })
      .gif({ delay: [100, 200, 300], loop: 2 })
      .toBuffer();
    expect(await look(source, ['frames', 'animation', 'width', 'height', 'dominantColour'])).toEqual({
      frames: 3,
      animation: { durationMs: 600, loop: 2 },
      width: 20,
      height: 10,
      dominantColour: '#ff0000',
    });
  });
});

describe('pixels', () => {
  it('shows the smallest hole as not opaque, and a full alpha channel as opaque', async () => {
    const pixels = Buffer.alloc(400 * 300 * 4, 255);
    const raw = { width: 400, height: 300, channels: 4 } as const;
    const full = await sharp(pixels, { raw }).png().toBuffer();
    pixels[(150 * 400 + 200) * 4 + 3] = 254;
    const holed = await sharp(pixels, { raw }).png().toBuffer();
    expect(await look(full, ['alpha', 'opaque'])).toEqual({ alpha: true, opaque: true });
    expect(await look(holed, ['alpha', 'opaque'])).toEqual({ alpha: true, opaque: false });
  });

  it('has no colour where nothing is to be seen', async () => {
    const clear = await sharp({
      create: { width: 9, height: 9, channels: 4, background: { r: 1, g: 2, b: 3, alpha: 0 } },
    })
      .png()
      .toBuffer();
    expect(await look(clear, ['averageColour', 'dominantColour', 'palette'])).toEqual({
      averageColour: null,
      dominantColour: null,
      palette: [],
    });
  });

  it('finds a picture again by its hash, and no other', async () => {
    const hash = async (image: Sharp, format: 'png' | 'jpeg' = 'png') =>
      (await look(await image.toFormat(format).toBuffer(), ['dhash'])).dhash;
    const original = await hash(picture(400, 300));
    const small = await hash(sharp(await picture(400, 300).png().toBuffer()).resize(133), 'jpeg');
    const mirrored = await hash(sharp(await picture(400, 300).png().toBuffer()).flop());
    expect(original).toMatch(/^[0-9a-f]{16}$/);
    expect(bitsApart(original, small)).toBeLessThanOrEqual(4);
    expect(bitsApart(original, mirrored)).toBeGreaterThan(20);
  });

  it('sees that a picture was blurred', async () => {
    const sharpOne = await sharp({
      create: {
        width: 500,
        height: 400,
        channels: 3,
        background: 'grey',
        noise: { type: 'gaussian', mean: 128, sigma: 40 },
      },
    })
      .png()
      .toBuffer();
    const blurred = await sharp(sharpOne).blur(4).png().toBuffer();
    const [a, b] = await Promise.all([look(sharpOne, ['sharpness']), look(blurred, ['sharpness'])]);
    expect(a.sharpness).toBeGreaterThan(100);
    expect(b.sharpness).toBeLessThan((a.sharpness ?? 0) / 20);
  });

  it('takes a single pixel', async () => {
    const dot = await sharp({ create: { width: 1, height: 1, channels: 3, background: '#123456' } })
      .png()
      .toBuffer();
    expect(await look(dot)).toMatchObject({ width: 1, averageColour: '#123456', sharpness: 0 });
  });
});

describe('refusals', () => {
  it('are those of rendering', async () => {
    const jpeg = await picture(600, 400).jpeg().toBuffer();
    await expect(look(jpeg.subarray(0, jpeg.length / 2), ['dhash'])).rejects.toMatchObject({
      code: 'image_unreadable',
    });
    await expect(look(Buffer.from('no image'), ['width'])).rejects.toMatchObject({
      code: 'media_type_unsupported',
    });
    await using strict = testPool({ maxPixels: 1000 });
    // A header may be told of anything: nothing is decoded.
    expect(await strict.inspect(own(jpeg), ['width'])).toEqual({ width: 600 });
    await expect(strict.inspect(own(jpeg), ['dhash'])).rejects.toMatchObject({ code: 'image_too_large' });
  });

  it('drops what has not begun when its client leaves', async () => {
    const jpeg = await picture(60, 40).jpeg().toBuffer();
    const gone = new AbortController();
    const inspecting = pool.inspect(own(jpeg), ['dhash'], { signal: gone.signal });
    gone.abort(new Error('left'));
    await expect(inspecting).rejects.toThrow('left');
    expect(await look(jpeg, ['dhash'])).toHaveProperty('dhash');
  });
});

describe.skipIf(!existsSync(samples))('samples', () => {
  it('tells colours of a photograph, and sees it upright', async () => {
    const read = (name: string) => readFile(resolve(samples, 'images', name));
    const [upright, turned] = await Promise.all([
      look(await read('orientation-landscape-1.jpg'), ['width', 'height', 'dhash', 'blurhash']),
      look(await read('orientation-landscape-6.jpg'), ['width', 'height', 'dhash', 'blurhash']),
    ]);
    expect([turned.width, turned.height]).toEqual([upright.width, upright.height]);
    expect(bitsApart(turned.dhash, upright.dhash)).toBeLessThanOrEqual(4);
  });

  it('looks into an iPhone photo', async () => {
    const heic = await readFile(resolve(samples, 'images/iphone-style.heic'));
    const facts = await look(heic);
    expect(facts).toMatchObject({ format: 'heic', opaque: true });
    expect(facts.palette?.length).toBeGreaterThan(0);
  });
});
