// Sources that take more than sharp's own loaders: HEIC and SVG; and what nobody may learn from a rendition.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { tiffFile } from '../../src/lib/tiff-file.ts';
import { difference, output, own, picture, pixelOf, renderOne, testPool } from './pictures.ts';
import type { OutputWish } from './pictures.ts';

const SAMPLES = process.env.MEDIA_SAMPLES ?? '../shared/media';
const HEIC = join(SAMPLES, 'images/iphone-style.heic');

const engine = testPool();
afterAll(() => engine.close());

describe.skipIf(!existsSync(HEIC))('HEIC', () => {
  const heic = () => readFile(HEIC);

  it('comes out as any other picture', async () => {
    const { images, source } = await engine.render(own(await heic()), [
      output({ format: 'png' }),
      output({ steps: [{ op: 'resize', width: 100 }], format: 'webp' }),
    ]);
    const [whole, small] = images;
    expect(source.mediaType).toBe('image/heic');
    expect([whole?.width, whole?.height]).toEqual([source.width, source.height]);
    expect(small).toMatchObject({ mediaType: 'image/webp', width: 100 });
    const { channels } = await sharp(whole?.data).stats();
    // A picture, and not a grey or an empty plane.
    expect(Math.max(...channels.map(({ stdev }) => stdev))).toBeGreaterThan(10);
    const fitted = await sharp(whole?.data).resize(100).png().toBuffer();
    expect((await difference(fitted, small!.data)).mean).toBeLessThan(6);
  });

  it('is written as JPEG where no format is asked for', async () => {
    const { mediaType, decisions } = await renderOne(engine, await heic(), {});
    expect(mediaType).toBe('image/jpeg');
    expect(decisions).toEqual(['written as JPEG: browsers do not show image/heic']);
  });

  it('is turned as its irot says', async () => {
    // The sample has none: its colour description gives its place, which is larger.
    const turnedBy = async (quarters: number) => {
      const file = await heic();
      const at = file.indexOf('colr');
      expect(at).toBeGreaterThan(0);
      file.write('irot', at, 'latin1');
      file[at + 4] = quarters;
      return renderOne(engine, file, { format: 'png' });
    };
    const upright = await turnedBy(0);
    // Anticlockwise (ISO/IEC 23008-12, 6.5.10).
    for (const quarters of [1, 2, 3]) {
      const expected = await sharp(upright.data)
        .rotate(360 - 90 * quarters)
        .png()
        .toBuffer();
      expect((await difference((await turnedBy(quarters)).data, expected)).mean).toBeLessThan(1);
    }
  });

  it('is bounded by the header, and refused where it is damaged; the thread goes on', async () => {
    await using small = testPool({ maxPixels: 1000 });
    await expect(renderOne(small, await heic(), {})).rejects.toMatchObject({ code: 'image_too_large' });
    const whole = await heic();
    await expect(renderOne(engine, whole.subarray(0, whole.length >> 1), {})).rejects.toMatchObject({
      code: 'image_unreadable',
    });
    const broken = Buffer.from(whole);
    broken.fill(0x55, whole.length >> 1);
    const answer = await renderOne(engine, broken, {}).then(
      () => 'made',
      ({ code }: { code: string }) => code,
    );
    expect(['made', 'image_unreadable']).toContain(answer);
    expect((await renderOne(engine, whole, { format: 'webp' })).mediaType).toBe('image/webp');
  });
});

describe('a TIFF in memory', () => {
  it.each([3, 4] as const)('of %d channels is read as it was written, with its profile', async (channels) => {
    const { data, info } = await picture(31, 17, channels === 4)
      .raw()
      .toBuffer({ resolveWithObject: true });
    const { icc } = await sharp(await picture(4, 4).withIccProfile('p3').png().toBuffer()).metadata();
    const file = tiffFile({ data, width: info.width, height: info.height, channels }, icc);
    const found = await sharp(file).metadata();
    expect(found).toMatchObject({ width: 31, height: 17, channels, hasAlpha: channels === 4 });
    expect(found.icc).toEqual(icc);
    expect(
      Buffer.compare(
        await sharp(tiffFile({ data, width: 31, height: 17, channels }))
          .raw()
          .toBuffer(),
        data,
      ),
    ).toBe(0);
  });
});

describe('SVG', () => {
  const drawing = Buffer.from(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 20"><rect width="20" height="20" fill="#ff0000"/></svg>',
  );

  it('is refused unless it is allowed', async () => {
    await expect(renderOne(engine, drawing, {})).rejects.toMatchObject({ code: 'media_type_unsupported' });
  });

  it('is always rasterised, as finely as it is shown', async () => {
    await using open = testPool({ allowSvg: true });
    const steps: OutputWish['steps'] = [{ op: 'resize', width: 400, enlarge: true }];
    const { images } = await open.render(own(drawing), [
      output({ steps }),
      output({ steps, format: 'jpeg' }),
      output({}),
    ]);
    const [large, flat, plain] = images;
    expect(images.map(({ mediaType }) => mediaType)).toEqual(['image/png', 'image/jpeg', 'image/png']);
    expect([large?.width, large?.height, plain?.width, plain?.height]).toEqual([400, 200, 40, 20]);
    expect(await pixelOf(large!.data, 100, 100)).toEqual([255, 0, 0, 255]);
    expect((await pixelOf(large!.data, 300, 100))[3]).toBe(0);
    expect(Math.min(...(await pixelOf(flat!.data, 300, 100)))).toBeGreaterThan(250);
    // Drawn at this size and not enlarged: the edge is sharp.
    expect((await pixelOf(large!.data, 198, 100))[3]).toBe(255);
    expect((await pixelOf(large!.data, 202, 100))[3]).toBe(0);
  });

  it('is bounded in what it may be, and reads nothing beside it', async () => {
    await using open = testPool({ allowSvg: true });
    const attempt = (text: string) =>
      renderOne(open, Buffer.from(text), {}).then(
        () => 'made',
        ({ code }: { code: string }) => code,
      );
    expect(await attempt('<svg xmlns="http://www.w3.org/2000/svg" width="99999" height="99999"/>')).toBe(
      'image_too_large',
    );
    expect(
      await attempt('<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'),
    ).toBe('image_too_complex');
    expect(await attempt('<svg xmlns="http://www.w3.org/2000/svg"><g>')).toBe('image_unreadable');
  });
});

const run = promisify(execFile);
const hasExiftool = await run('exiftool', ['-ver']).then(
  () => true,
  () => false,
);

describe.skipIf(!hasExiftool)('metadata', () => {
  const secrets = async () =>
    picture(120, 80)
      .withExif({
        IFD0: { Copyright: '(c) Ann', Artist: 'Ann', Make: 'Secretcam', Software: 'Tool' },
        IFD3: {
          GPSLatitudeRef: 'N',
          GPSLatitude: '48/1 51/1 30/1',
          GPSLongitudeRef: 'E',
          GPSLongitude: '2/1 17/1 40/1',
        },
      })
      .withXmp(
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:exif="http://ns.adobe.com/exif/1.0/" exif:GPSLatitude="48,51.5N"/></rdf:RDF></x:xmpmeta>',
      )
      .jpeg()
      .toBuffer();

  const tagsOf = async (data: Uint8Array, name: string): Promise<Record<string, unknown>> => {
    const folder = await mkdtemp(join(tmpdir(), 'mediamill-exif-'));
    try {
      const path = join(folder, name);
      await writeFile(path, data);
      const { stdout } = await run('exiftool', ['-json', '-G1', '-a', path]);
      return (JSON.parse(stdout) as Record<string, unknown>[])[0] ?? {};
    } finally {
      await rm(folder, { recursive: true });
    }
  };
  const OURS =
    /^(?:SourceFile|ExifTool:|System:|File:|Composite:ImageSize|Composite:Megapixels|JFIF:|PNG:|PNG-pHYs:|RIFF:|GIF:|Meta:|QuickTime:|ICC)/;

  const wishes: readonly (readonly [string, OutputWish])[] = [
    ...(['jpeg', 'png', 'webp', 'avif', 'gif'] as const).map((format) => [format, { format }] as const),
    ['a search', { format: 'jpeg', maxBytes: 2000 }],
    ['best', { format: 'best' }],
    [
      'several passes',
      {
        format: 'jpeg',
        steps: [
          { op: 'rotate', angle: 5 },
          { op: 'crop', left: 1, top: 1, width: 50, height: 50 },
        ],
      },
    ],
    ['a kept profile', { format: 'jpeg', keepProfile: true }],
  ];

  it('of the source is there', async () => {
    const tags = await tagsOf(await secrets(), 'source.jpg');
    expect(Object.keys(tags).some((tag) => tag.includes('GPS'))).toBe(true);
    expect(tags['IFD0:Make']).toBe('Secretcam');
  });

  it.each(wishes)('is gone: %s', async (_name, wish) => {
    const { data, mediaType } = await renderOne(engine, await secrets(), wish);
    const tags = await tagsOf(data, `result.${mediaType.slice(6)}`);
    expect(Object.keys(tags).filter((tag) => !OURS.test(tag))).toEqual([]);
    expect(Buffer.from(data).includes('Secretcam')).toBe(false);
  });

  it.each(['jpeg', 'png', 'webp', 'avif'] as const)(
    'in a %s is the copyright, on request, and nothing else',
    async (format) => {
      for (const wish of [
        { format, keepCopyright: true },
        { format, keepCopyright: true, maxBytes: 100_000 },
      ]) {
        const { data } = await renderOne(engine, await secrets(), wish);
        const tags = await tagsOf(data, `result.${format}`);
        expect(tags).toMatchObject({ 'IFD0:Copyright': '(c) Ann', 'IFD0:Artist': 'Ann' });
        const all = JSON.stringify(tags);
        expect(all).not.toMatch(/GPS|Secretcam|Tool"/);
      }
    },
  );
});
