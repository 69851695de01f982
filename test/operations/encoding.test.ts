// The encoding fields: what may be said of which format.

import { describe, expect, it } from 'vitest';
import { imageOutputFromQuery, imageOutputSchema, imageQuerySchema } from '../../src/operations/image.ts';

const wrong = (wish: object): string[] => {
  const parsed = imageOutputSchema.safeParse({ type: 'image', ...wish });
  return parsed.success
    ? []
    : parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
};

describe('an option', () => {
  it.each([
    [{ format: 'webp', progressive: true }, 'progressive: WebP has none of it; it is for jpeg, png, gif'],
    [{ format: 'png', mozjpeg: true }, 'mozjpeg: PNG has none of it; it is for jpeg'],
    [{ format: 'jpeg', lossless: true }, 'lossless: JPEG has none of it; it is for webp, avif'],
    [{ format: 'avif', nearLossless: true }, 'nearLossless: AVIF has none of it; it is for webp'],
    [{ format: 'webp', palette: true }, 'palette: WebP has none of it; it is for png'],
    [{ format: 'jpeg', depth: 16 }, 'depth: JPEG has none of it; it is for png, tiff'],
    [{ format: 'webp', keepGainMap: true }, 'keepGainMap: WebP has none of it; it is for jpeg'],
    [
      { format: 'gif', keepCopyright: true },
      'keepCopyright: GIF has none of it; it is for jpeg, png, webp, avif',
    ],
    [{ format: 'jpeg', effort: 3 }, 'effort: JPEG has none of it; it is for png, webp, avif, gif'],
    [{ format: 'webp', chroma: '4:4:4' }, 'chroma: WebP has none of it; it is for jpeg, avif'],
    [{ format: 'png', qualityJpeg: 5 }, 'qualityJpeg: is for jpeg, and the format is png'],
    [
      { format: 'webp', lossless: true, nearLossless: true },
      'nearLossless: is not possible beside lossless; ask for one of them',
    ],
    [
      { format: 'webp', lossless: true, maxBytes: 1000 },
      'maxBytes: is not possible beside lossless: there is nothing to give way',
    ],
    [{ similarity: 0.9 }, 'similarity: needs quality=auto or format=best'],
    [
      { format: 'best', quality: 50 },
      'quality: is found by itself for format=best; say `similarity` instead',
    ],
  ])('%j is refused', (wish, message) => {
    expect(wrong(wish)).toEqual([message]);
  });

  it.each([
    { format: 'webp', progressive: false },
    { format: 'jpeg', depth: 8 },
    { format: 'auto', progressive: true, lossless: true, qualityJpeg: 70, qualityAvif: 40 },
    { progressive: true },
    { format: 'jpeg', quality: 'auto', similarity: 0.9, maxBytes: 5000, keepProfile: true },
    { format: 'best', similarity: 0.99 },
  ])('%j is taken', (wish) => {
    expect(wrong(wish)).toEqual([]);
  });

  it.each([
    { quality: 0 },
    { quality: 101 },
    { quality: 'much' },
    { quality: 5.5 },
    { maxBytes: 99 },
    { maxBytes: '1e6' },
    { effort: 7 },
    { quality: 'auto', similarity: 1 },
    { depth: 12 },
    { chroma: '4:2:2' },
    { progressive: 'yes' },
    { format: 'svg' },
  ])('%j is out of bounds', (wish) => {
    expect(wrong(wish)).toHaveLength(1);
  });
});

it('a URL says the same as a recipe', () => {
  const query =
    'format=jpeg&quality=auto&similarity=0.9&maxBytes=5000&progressive=true&chroma=4:4:4&keepCopyright=true';
  const read = imageQuerySchema.parse(Object.fromEntries(new URLSearchParams(query)));
  expect(imageOutputFromQuery(read)).toEqual({
    type: 'image',
    steps: [],
    format: 'jpeg',
    quality: 'auto',
    similarity: 0.9,
    maxBytes: 5000,
    progressive: true,
    chroma: '4:4:4',
    keepCopyright: true,
  });
  expect(imageQuerySchema.parse({ depth: '16', quality: '70' })).toMatchObject({ depth: 16, quality: 70 });
});
