// What the image engine refuses, and how it says so; hostile and odd files of the sample folder.

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { difference, picture, renderOne, testPool } from './pictures.ts';
import type { OutputWish } from './pictures.ts';

const SAMPLES = resolve(process.env['MEDIA_SAMPLES'] ?? '../shared/media');
const engine = testPool();
afterAll(() => engine.close());

const resize = (width: number, more: object = {}) => ({ op: 'resize', width, ...more }) as const;

describe('what cannot be', () => {
  const jpeg = () => picture(400, 300).jpeg().toBuffer();
  const refusal = (source: Uint8Array, wish: OutputWish = {}) =>
    renderOne(engine, source, wish).then(
      () => 'made',
      (error: { code: string; message: string }) => `${error.code}: ${error.message}`,
    );

  it.each([
    [
      'a crop beyond the edge',
      { steps: [{ op: 'crop', left: 300, top: 0, width: 101, height: 10 }] },
      /^crop_outside: .*401 × 10.*400 × 300/,
    ],
    [
      'a crop beyond what a resize left',
      { steps: [resize(100), { op: 'crop', left: 0, top: 0, width: 100, height: 80 }] },
      /^crop_outside: .*100 × 75/,
    ],
    [
      'a giant',
      { steps: [resize(16_000, { height: 16_000, fit: 'fill', enlarge: true })] },
      /^rendition_too_large: The step resize/,
    ],
    [
      'a giant on the way',
      { steps: [resize(16_000, { height: 16_000, fit: 'fill', enlarge: true }), resize(5)] },
      /^rendition_too_large/,
    ],
    [
      'a giant GIF',
      { steps: [resize(6000, { height: 4000, fit: 'fill', enlarge: true })], format: 'gif' },
      /^rendition_too_large: .*GIF/,
    ],
    [
      'a search among giants',
      { steps: [resize(6000, { height: 4000, fit: 'fill', enlarge: true })], quality: 'auto' },
      /^rendition_too_large: .*quality=auto/,
    ],
  ] as [string, OutputWish, RegExp][])('%s', async (_what, wish, expected) => {
    expect(await refusal(await jpeg(), wish)).toMatch(expected);
  });

  it.each([
    ['nothing', Buffer.alloc(0), /^file_missing/],
    ['text', Buffer.from('#EXTM3U\nfile:///etc/passwd'), /^media_type_unsupported: .*JPEG, PNG/],
    ['SVG', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), /^media_type_unsupported: .*SVG/],
    [
      'a film',
      Buffer.concat([Buffer.from([0, 0, 0, 24]), Buffer.from('ftypisom....isommp42')]),
      /^media_type_unsupported: .*video/,
    ],
    ['a mere signature', Buffer.from([0xff, 0xd8, 0xff]), /^image_unreadable/],
  ])('%s', async (_what, bytes, expected) => {
    expect(await refusal(bytes)).toMatch(expected);
  });

  it('a cut-off or damaged file, without a path or a stack in the answer', async () => {
    const noisy = sharp({
      create: {
        width: 300,
        height: 200,
        channels: 3,
        background: 'gray',
        noise: { type: 'gaussian', mean: 128, sigma: 50 },
      },
    });
    for (const format of ['jpeg', 'png', 'webp', 'avif', 'tiff'] as const) {
      const whole = await noisy.clone().toFormat(format).toBuffer();
      const answer = await refusal(whole.subarray(0, whole.length >> 1), {
        steps: [resize(50)],
        format: 'png',
      });
      expect(answer, format).toMatch(/^image_unreadable: .*undamaged/);
      expect(answer).not.toMatch(/(?:\/[\w.-]+){2,}|\bat \w+ \(/);
    }
  });

  it('a rendition with a side that encoders and browsers cannot take', async () => {
    const create = { width: 17_000, height: 3, channels: 3, background: 'red' } as const;
    const source = await sharp({ create }).png().toBuffer();
    expect(await refusal(source)).toMatch(/^rendition_too_large: .*17000 × 3.*16383/);
    expect(
      await refusal(source, { steps: [{ op: 'crop', left: 16_900, top: 0, width: 100, height: 3 }] }),
    ).toBe('made');
  });

  it('any format but the six, and any file: the decoder is locked in all threads of the process', async () => {
    await renderOne(engine, await jpeg(), { steps: [resize(9)] });
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');
    await expect(sharp(svg).png().toBuffer()).rejects.toThrow('unsupported image format');
    await expect(
      sharp(import.meta.filename)
        .png()
        .toBuffer(),
    ).rejects.toThrow('unsupported image format');
    await expect(
      sharp(await jpeg())
        .png()
        .toBuffer(),
    ).resolves.toBeDefined();
  });

  it('an image of more pixels than are allowed', async () => {
    await using small = testPool({ maxPixels: 5000 });
    const source = await picture(90, 60).png().toBuffer();
    await expect(renderOne(small, source, {})).rejects.toMatchObject({ code: 'image_too_large' });
    await expect(renderOne(small, await picture(80, 60).png().toBuffer(), {})).resolves.toMatchObject({
      width: 80,
    });
  });
});

describe.skipIf(!existsSync(SAMPLES))('sample files', () => {
  const sample = (path: string) => readFile(join(SAMPLES, path));
  const attempt = async (path: string) =>
    renderOne(engine, await sample(path), { steps: [resize(200)] }).then(
      ({ width, height, mediaType }) => `${mediaType} ${width}x${height}`,
      ({ code }: { code: string }) => code,
    );

  it.each([
    ['hostile/webp_vp8l_16383x16383.webp', 'image_too_large'],
    ['hostile/gif_65535x65535_2frames.gif', 'image_too_large'],
    ['hostile/jpeg_progressive_3000_scans_4096.jpg', 'image_too_complex'],
    ['hostile/jpg_trunc_50.jpg', 'image_unreadable'],
    ['hostile/gif_html.gif', 'image/gif 1x1'],
    ['hostile/hls_file_abs.mp4', 'media_type_unsupported'],
    ['images/orientation-portrait-6.jpg', 'image/jpeg 200x300'],
    ['images/alpha.webp', 'image/webp 200x33'],
    ['images/animated-ball.png', 'image/png 100x100'],
  ])('%s', async (path, expected) => {
    expect(await attempt(path)).toBe(expected);
  });

  it('orientations 3, 6 and 8 look like 1', async () => {
    const show = async (number: number) =>
      (
        await renderOne(engine, await sample(`images/orientation-landscape-${number}.jpg`), {
          steps: [resize(200)],
          format: 'png',
        })
      ).data;
    const upright = await show(1);
    for (const number of [3, 6, 8]) {
      expect((await difference(await show(number), upright)).mean).toBeLessThan(8);
    }
  });

  it('a polyglot GIF comes out without its other half', async () => {
    const { data } = await renderOne(engine, await sample('hostile/gif_html.gif'), {});
    expect(Buffer.from(data).includes('script')).toBe(false);
  });
});
