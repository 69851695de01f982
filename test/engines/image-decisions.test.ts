// Encoding that decides: a format, a quality, a size, and says what it decided.

import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { ssim } from '../../src/lib/ssim.ts';
import { acceptedFormats } from '../../src/operations/negotiation.ts';
import { output, own, picture, renderOne, testPool } from './pictures.ts';
import type { OutputWish } from './pictures.ts';

const engine = testPool();
afterAll(() => engine.close());

/** Something with edges, noise and gradients, so that quality shows. */
const busy = (async () => {
  const noise = { type: 'gaussian', mean: 128, sigma: 30 } as const;
  const grain = await sharp({ create: { width: 300, height: 200, channels: 3, background: 'gray', noise } })
    .greyscale()
    .blur(1)
    .png()
    .toBuffer();
  return picture(300, 200)
    .composite([{ input: grain, blend: 'soft-light' }])
    .removeAlpha()
    .png()
    .toBuffer();
})();

const grey = (image: Uint8Array) =>
  sharp(image).flatten({ background: '#808080' }).toColourspace('b-w').raw().toBuffer();
const likeness = async (image: Uint8Array) => ssim(await grey(await busy), await grey(image), 300, 200);

describe('maxBytes', () => {
  it.each(['jpeg', 'webp', 'avif', 'png'] as const)('is held by a %s, and used', async (format) => {
    const free = (await renderOne(engine, await busy, { format })).data.length;
    const maxBytes = Math.round(free * 0.6);
    const { data, fits, decisions } = await renderOne(engine, await busy, { format, maxBytes });
    expect(fits).toBe(true);
    expect(data.length).toBeLessThanOrEqual(maxBytes);
    // The qualities of a palette are few.
    expect(data.length).toBeGreaterThan(maxBytes * (format === 'png' ? 0.2 : 0.5));
    expect(decisions.join()).toMatch(/maxBytes: quality \d+/);
  });

  it('changes nothing where the file is small enough as it is', async () => {
    const plain = await renderOne(engine, await busy, { format: 'webp' });
    const bounded = await renderOne(engine, await busy, { format: 'webp', maxBytes: 1_000_000 });
    expect(bounded).toMatchObject({ fits: true, decisions: [] });
    expect(Math.abs(bounded.data.length / plain.data.length - 1)).toBeLessThan(0.05);
    expect(plain.fits).toBeUndefined();
  });

  it('is honest where it is out of reach', async () => {
    for (const format of ['jpeg', 'gif', 'tiff'] as const) {
      const { data, fits, decisions } = await renderOne(engine, await busy, { format, maxBytes: 200 });
      expect(fits, format).toBe(false);
      expect(data.length).toBeGreaterThan(200);
      expect(decisions.at(-1)).toMatch(/^maxBytes is out of reach: \d+ bytes is the smallest/);
    }
  });

  it('holds for an animation', async () => {
    const frames = await Promise.all([0, 60, 120].map((hue) => sharp(busyFrame(hue)).png().toBuffer()));
    const moving = await sharp(frames, { join: { animated: true } })
      .webp({ delay: [80, 80, 80] })
      .toBuffer();
    const maxBytes = Math.round(moving.length * 0.5);
    const { data, fits } = await renderOne(engine, moving, { maxBytes });
    expect(fits).toBe(true);
    expect(await sharp(data, { animated: true }).metadata()).toMatchObject({ pages: 3, delay: [80, 80, 80] });
  });
});

describe('quality=auto', () => {
  it.each(['jpeg', 'webp', 'avif'] as const)(
    'is the least of a %s that reaches the similarity',
    async (format) => {
      const at = async (similarity: number) =>
        renderOne(engine, await busy, { format, quality: 'auto', similarity });
      const [rough, fine] = [await at(0.85), await at(0.97)];
      expect(rough.data.length).toBeLessThan(fine.data.length);
      expect(await likeness(rough.data)).toBeGreaterThan(0.84);
      expect(await likeness(fine.data)).toBeGreaterThan(0.96);
      const quality = Number(/quality (\d+)/.exec(fine.decisions.join())?.[1]);
      // Less would not have been enough, but for the step of the search.
      const less = await renderOne(engine, await busy, { format, quality: Math.max(1, quality - 8) });
      expect(await likeness(less.data)).toBeLessThan(0.975);
    },
  );

  it('says where the similarity is out of reach', async () => {
    const { decisions } = await renderOne(engine, await busy, {
      format: 'jpeg',
      quality: 'auto',
      similarity: 0.999,
    });
    expect(decisions.join()).toMatch(/jpeg: quality 95, similarity 0\.9\d\d; 0\.999 is out of reach/);
  });

  it('leaves what loses nothing as it is', async () => {
    const { data } = await renderOne(engine, await busy, { format: 'png', quality: 'auto' });
    expect(await likeness(data)).toBeCloseTo(1, 6);
  });
});

describe('format=best', () => {
  it('is the smallest of several, all about equally alike', async () => {
    const { data, mediaType, decisions } = await renderOne(engine, await busy, { format: 'best' });
    expect(await likeness(data)).toBeGreaterThan(0.95);
    const told = decisions.join();
    expect(told).toMatch(/format=best: \w+ of avif \d+ B and webp \d+ B and jpeg \d+ B and png \d+ B/);
    const sizes = [...told.matchAll(/(\w+) (\d+) B/g)].map(
      ([, format, size]) => [Number(size), format] as const,
    );
    const [least] = sizes.toSorted(([a], [b]) => a - b);
    expect([data.length, mediaType]).toEqual([least?.[0], `image/${least?.[1]}`]);
  });

  it('keeps transparency', async () => {
    const { data } = await renderOne(engine, await picture(80, 60, true).png().toBuffer(), {
      format: 'best',
    });
    expect((await sharp(data).metadata()).hasAlpha).toBe(true);
  });

  it('is a PNG for what a PNG is made for', async () => {
    const flat = await sharp({ create: { width: 64, height: 64, channels: 3, background: 'red' } })
      .png()
      .toBuffer();
    const { images } = await engine.render(own(flat), [output({ format: 'best' })], {
      accepted: { jpeg: 1, png: 1 },
    });
    expect(images[0]?.mediaType).toBe('image/png');
  });

  it('goes by what the client takes, and by maxBytes', async () => {
    const { images } = await engine.render(own(await busy), [output({ format: 'best', maxBytes: 3000 })], {
      accepted: acceptedFormats('image/jpeg, image/webp', { format: 'best' }),
    });
    expect(images[0]?.fits).toBe(true);
    expect(images[0]?.decisions.join()).toMatch(/format=best: \w+ of webp \d+ B and jpeg \d+ B,/);
    expect(images[0]?.data.length).toBeLessThanOrEqual(3000);
  });
});

describe('format=auto', () => {
  const auto = async (source: Uint8Array, header: string | undefined, wish: OutputWish = {}) => {
    const wanted = output({ format: 'auto', ...wish });
    const { images } = await engine.render(own(source), [wanted], {
      accepted: acceptedFormats(header, wanted),
    });
    return images[0];
  };

  it('is what the client takes and the picture needs', async () => {
    const glass = await picture(60, 40, true).png().toBuffer();
    expect((await auto(await busy, 'image/avif,image/webp'))?.mediaType).toBe('image/avif');
    expect((await auto(await busy, 'image/webp'))?.mediaType).toBe('image/webp');
    expect((await auto(await busy, '*/*'))?.mediaType).toBe('image/jpeg');
    expect((await auto(glass, '*/*'))?.mediaType).toBe('image/png');
    await expect(auto(await busy, 'text/html')).rejects.toMatchObject({ code: 'not_acceptable' });
  });

  it('keeps an animation', async () => {
    const frames = await Promise.all([0, 60].map((hue) => sharp(busyFrame(hue)).png().toBuffer()));
    const gif = await sharp(frames, { join: { animated: true } })
      .gif()
      .toBuffer();
    const moving = await auto(gif, 'image/avif,image/webp,*/*');
    expect(moving?.mediaType).toBe('image/webp');
    expect((await sharp(moving?.data).metadata()).pages).toBe(2);
  });
});

describe('AVIF past its pixels', () => {
  const large = { op: 'resize', width: 4800, height: 3600, fit: 'fill', enlarge: true } as const;

  it('is a WebP instead, and says so', async () => {
    const small = await picture(48, 36).png().toBuffer();
    const { mediaType, decisions, width } = await renderOne(engine, small, {
      steps: [large],
      format: 'avif',
    });
    expect({ mediaType, width }).toEqual({ mediaType: 'image/webp', width: 4800 });
    expect(decisions).toEqual(['written as WebP: AVIF takes too long for more than 16000000 pixels']);
  });
});

function busyFrame(hue: number) {
  const background = { r: 60 + hue, g: 120, b: 200 - hue };
  const noise = { type: 'gaussian', mean: 100 + hue, sigma: 40 } as const;
  return { create: { width: 90, height: 60, channels: 3, background, noise } } as const;
}
