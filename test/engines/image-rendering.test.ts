// What comes out of the image engine, compared with pictures whose look is known.

import { readFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import type { OutputWish } from './pictures.ts';
import { difference, output, own, picture, pixelOf, renderOne, testPool } from './pictures.ts';

const SAMPLES = resolve(process.env['MEDIA_SAMPLES'] ?? '../shared/media');
const engine = testPool({ threads: 2 });
afterAll(() => engine.close());

const resize = (width: number, more: object = {}) => ({ op: 'resize', width, ...more }) as const;

describe('orientation and metadata', () => {
  const upright = picture(96, 64);
  /** Stored so that the orientation makes it upright again. */
  const stored: Record<number, () => sharp.Sharp> = {
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
        expect(decisions).toEqual(['transparency became white: JPEG has none']);
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
  });
});

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
      /^rendition_too_large: Step 1 \(resize\)/,
    ],
    [
      'a giant on the way',
      { steps: [resize(16_000, { height: 16_000, fit: 'fill', enlarge: true }), resize(5)] },
      /^rendition_too_large/,
    ],
    [
      'a giant AVIF',
      { steps: [resize(6000, { height: 4000, fit: 'fill', enlarge: true })], format: 'avif' },
      /^rendition_too_large: .*AVIF/,
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
    ['images/iphone-style.heic', 'media_type_unsupported'],
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
