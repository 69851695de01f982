// Headers of real pictures agree with the decoder; damaged and lying ones cost nothing and surprise nobody.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { decodedFrames, readImageHeader, screen } from '../../src/lib/image-header.ts';
import type { ImageHeader } from '../../src/lib/image-header.ts';
import { Problem } from '../../src/problems.ts';
import { seededRandom } from '../support/random.ts';

const SAMPLES = resolve(process.env['MEDIA_SAMPLES'] ?? '../shared/media');
const LIMITS = { maxPixels: 50_000_000, maxFrames: 256 };
const FORMATS = ['jpeg', 'png', 'webp', 'gif', 'avif', 'tiff'] as const;

const plain = (width: number, height: number, channels: 3 | 4 = 3) =>
  sharp({ create: { width, height, channels, background: { r: 200, g: 90, b: 30, alpha: 0.5 } } });

async function animation(format: 'gif' | 'webp', frames: number): Promise<Buffer> {
  const stills = await Promise.all(
    Array.from({ length: frames }, (_, index) =>
      sharp({ create: { width: 12, height: 8, channels: 3, background: { r: index * 40, g: 0, b: 90 } } })
        .png()
        .toBuffer(),
    ),
  );
  return sharp(stills, { join: { animated: true } })
    .toFormat(format)
    .toBuffer();
}

/** What a PNG animation adds to a PNG: its control chunk, before the pixels. */
function apng(png: Buffer, frames: number): Buffer {
  const chunk = Buffer.alloc(20);
  chunk.writeUInt32BE(8, 0);
  chunk.write('acTL', 4);
  chunk.writeUInt32BE(frames, 8);
  return Buffer.concat([png.subarray(0, 33), chunk, png.subarray(33)]);
}

const codeOf = (attempt: () => unknown): string => {
  try {
    attempt();
    return 'fine';
  } catch (error) {
    if (error instanceof Problem) return error.code;
    throw error;
  }
};

describe('size', () => {
  it.each(FORMATS)('of %s', async (format) => {
    for (const [width, height] of [
      [1, 1],
      [16, 16],
      [257, 130],
      [1203, 64],
    ] as const) {
      const header = readImageHeader(await plain(width, height).toFormat(format).toBuffer());
      expect(header).toMatchObject({
        mediaType: `image/${format}`,
        width,
        height,
        frames: 1,
        scans: 1,
        orientation: 1,
      });
    }
  });

  it('of lossless and extended WebP', async () => {
    expect(readImageHeader(await plain(300, 17).webp({ lossless: true }).toBuffer())).toMatchObject({
      width: 300,
      height: 17,
    });
    const extended = await plain(301, 18).webp().withMetadata({ orientation: 1 }).toBuffer();
    expect(readImageHeader(extended)).toMatchObject({ width: 301, height: 18 });
  });

  it.each(['jpeg', 'png', 'webp', 'tiff'] as const)('is upright: %s', async (format) => {
    for (let orientation = 1; orientation <= 8; orientation++) {
      const bytes = await plain(60, 40).toFormat(format).withMetadata({ orientation }).toBuffer();
      const [width, height] = orientation >= 5 ? [40, 60] : [60, 40];
      expect(readImageHeader(bytes), String(orientation)).toMatchObject({ width, height, orientation });
      expect((await sharp(bytes).metadata()).autoOrient).toEqual({ width, height });
    }
  });
});

describe('frames', () => {
  it.each(['gif', 'webp'] as const)('of %s', async (format) => {
    const header = readImageHeader(await animation(format, 5));
    expect(header).toMatchObject({ width: 12, height: 8, frames: 5 });
    expect(decodedFrames(header)).toBe(5);
  });

  it('of an APNG are told, but only its still is decoded', async () => {
    const header = readImageHeader(apng(await plain(50, 40).png().toBuffer(), 900));
    expect(header).toMatchObject({ mediaType: 'image/png', width: 50, height: 40, frames: 900 });
    expect(codeOf(() => screen(header, LIMITS))).toBe('fine');
  });
});

describe('transparency', () => {
  it.each(['png', 'webp', 'avif', 'gif', 'tiff'] as const)('of %s', async (format) => {
    const options = format === 'tiff' ? ({ compression: 'deflate' } as const) : {};
    expect(readImageHeader(await plain(20, 20, 4).toFormat(format, options).toBuffer()).alpha).toBe(true);
    // libvips writes every GIF with a colour that means transparent, used or not.
    if (format === 'gif') return;
    expect(readImageHeader(await plain(20, 20, 3).toFormat(format, options).toBuffer()).alpha).toBe(false);
  });

  it('of WebP without loss, and of PNG with a palette', async () => {
    const lossless = { lossless: true };
    expect(readImageHeader(await plain(20, 20, 4).webp(lossless).toBuffer()).alpha).toBe(true);
    expect(readImageHeader(await plain(20, 20, 3).webp(lossless).toBuffer()).alpha).toBe(false);
    expect(readImageHeader(await plain(20, 20, 4).png({ palette: true }).toBuffer()).alpha).toBe(true);
  });
});

describe('scans', () => {
  it('are counted in a progressive JPEG, over restart markers, stuffing and tables', async () => {
    const noise = { type: 'gaussian', mean: 128, sigma: 60 } as const;
    const bytes = await sharp({ create: { width: 200, height: 200, channels: 3, background: 'gray', noise } })
      .jpeg({ progressive: true, quality: 95 })
      .toBuffer();
    const { scans } = readImageHeader(bytes);
    expect(scans).toBeGreaterThan(4);
    expect(scans).toBeLessThan(30);
    // A second picture behind the first (an MPF preview, a motion photo) does not count.
    expect(readImageHeader(Buffer.concat([bytes, bytes])).scans).toBe(scans);
  });

  it('cannot be hidden behind a false end', async () => {
    const bytes = await plain(64, 64).jpeg({ progressive: true }).toBuffer();
    const scan = bytes.subarray(bytes.indexOf('\xff\xda', 'latin1'), bytes.length - 2);
    const comment = Buffer.from('\xff\xfe\x00\x06\xff\xd9\xff\xd9', 'latin1');
    const many = Buffer.concat([
      bytes.subarray(0, -2),
      ...Array.from({ length: 101 }, () => Buffer.concat([comment, scan])),
      bytes.subarray(-2),
    ]);
    expect(codeOf(() => screen(readImageHeader(many), LIMITS))).toBe('image_too_complex');
  });
});

describe('screen', () => {
  const header: ImageHeader = {
    mediaType: 'image/gif',
    width: 1000,
    height: 1000,
    frames: 1,
    alpha: false,
    orientation: 1,
    scans: 1,
  };

  it.each([
    ['fine', { width: 5000, height: 10_000 }],
    ['image_too_large', { width: 5001, height: 10_000 }],
    ['fine', { frames: 50 }],
    ['image_too_large', { frames: 51 }],
    ['fine', { width: 10, height: 10, frames: 256 }],
    ['image_too_many_frames', { width: 10, height: 10, frames: 257 }],
    ['fine', { mediaType: 'image/jpeg', scans: 100 }],
    ['image_too_complex', { mediaType: 'image/jpeg', scans: 101 }],
    ['image_too_large', { width: 4_294_967_295, height: 4_294_967_295 }],
  ] as [string, Partial<ImageHeader>][])('%s: %j', (code, change) => {
    expect(codeOf(() => screen({ ...header, ...change }, LIMITS))).toBe(code);
  });

  it('says what was claimed and what is allowed', () => {
    expect(() => screen({ ...header, width: 9000, frames: 9 }, LIMITS)).toThrow(
      /9000 × 1000 pixels in each of 9 frames.*50 million/,
    );
  });
});

describe('what cannot be read', () => {
  it.each([
    ['file_missing', Buffer.alloc(0)],
    ['media_type_unsupported', Buffer.from('#EXTM3U')],
    ['media_type_unsupported', Buffer.from('<svg/>')],
    ['image_unreadable', Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1heic', 'latin1')],
    ['media_type_unsupported', Buffer.from('\xff\x0a\0\0', 'latin1')],
    ['media_type_unsupported', Buffer.from('\0\0\0\x18ftypisom\0\0\0\0isommp42', 'latin1')],
    ['image_unreadable', Buffer.from('GIF89a')],
    ['image_unreadable', Buffer.from('GIF89a\0\0\0\0\0\0\0;', 'latin1')],
    ['image_unreadable', Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')],
    ['image_unreadable', Buffer.from('\xff\xd8\xff\xd9', 'latin1')],
    ['image_unreadable', Buffer.from('RIFF\x04\0\0\0WEBP', 'latin1')],
    ['image_unreadable', Buffer.from('II*\0\xff\xff\xff\xff', 'latin1')],
    ['image_unreadable', Buffer.from('\0\0\0\x14ftypavif\0\0\0\0avif', 'latin1')],
  ])('%s', (code, bytes) => {
    expect(codeOf(() => readImageHeader(bytes))).toBe(code);
  });

  it('tells what to do instead', () => {
    expect(() => readImageHeader(Buffer.from('<svg/>'))).toThrow(/SVG.*PNG/);
    expect(() => readImageHeader(Buffer.from('\xff\x0a\0\0', 'latin1'))).toThrow(/JPEG XL.*PNG/);
  });

  it('is a Problem whatever is cut off, and wherever bits are wrong', async () => {
    const random = seededRandom(20_261_122);
    const originals = await Promise.all([
      ...FORMATS.map((format) =>
        plain(40, 30, 4).toFormat(format).withMetadata({ orientation: 6 }).toBuffer(),
      ),
      animation('gif', 3),
      animation('webp', 3),
      plain(40, 30).jpeg({ progressive: true }).toBuffer(),
      plain(40, 30)
        .png()
        .toBuffer()
        .then((png) => apng(png, 4)),
    ]);
    const seen = new Set<string>();
    const attempt = (bytes: Uint8Array): void => {
      seen.add(codeOf(() => screen(readImageHeader(bytes), LIMITS)));
    };
    for (const original of originals) {
      for (let length = 0; length < Math.min(original.length, 700); length++)
        attempt(original.subarray(0, length));
      for (let round = 0; round < 3000; round++) {
        const damaged = Buffer.from(original);
        for (let flips = random.between(1, 6); flips > 0; flips--) {
          // Most of them in the header, where they hurt.
          const at = random.between(0, Math.min(damaged.length, round % 4 === 0 ? damaged.length : 400) - 1);
          damaged[at] = random.pick([0, 1, 0x7f, 0x80, 0xff, damaged[at]! ^ (1 << random.between(0, 7))]);
        }
        attempt(damaged);
      }
    }
    expect([...seen].toSorted()).toEqual([
      'file_missing',
      'fine',
      'image_too_large',
      'image_unreadable',
      'media_type_unsupported',
    ]);
  });
});

describe.skipIf(!existsSync(SAMPLES))('sample files', () => {
  const read = (path: string) => readImageHeader(readFileSync(join(SAMPLES, path)));

  it.each(['photos', 'images'])('%s are as large as the decoder says', async (folder) => {
    for (const name of readdirSync(join(SAMPLES, folder))) {
      if (name.endsWith('.heic')) continue;
      const { autoOrient } = await sharp(join(SAMPLES, folder, name)).metadata();
      const { width, height } = read(join(folder, name));
      expect({ width, height }, name).toEqual(autoOrient);
    }
  });

  it('animations have their frames', async () => {
    expect(read('images/animated-ball.png').frames).toBe(20);
    const { pages } = await sharp(join(SAMPLES, 'clips/bbb-240p-3s.gif')).metadata();
    expect(read('clips/bbb-240p-3s.gif').frames).toBe(pages);
  });

  it.each([
    ['webp_vp8l_16383x16383.webp', 'image_too_large'],
    ['gif_65535x65535_2frames.gif', 'image_too_large'],
    ['jpeg_progressive_3000_scans_4096.jpg', 'image_too_complex'],
    ['jpg_trunc_50.jpg', 'fine'],
    ['gif_html.gif', 'fine'],
  ])('%s: %s', (name, code) => {
    expect(codeOf(() => screen(read(join('hostile', name)), LIMITS))).toBe(code);
  });
});
