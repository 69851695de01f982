// Which format a client gets for its Accept header.

import { describe, expect, it } from 'vitest';
import { acceptedFormats, isNegotiated, rankFormats } from '../../src/operations/negotiation.ts';

const CHROME = 'image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8';
const OLD_SAFARI = 'image/png,image/svg+xml,image/*;q=0.8,video/*;q=0.8,*/*;q=0.5';

describe('the first of the ranked formats', () => {
  const opaque = { alpha: false, animated: false };
  const glass = { alpha: true, animated: false };
  const moving = { alpha: false, animated: true };

  it.each([
    ['a browser of today', CHROME, opaque, 'avif'],
    ['a browser of today', CHROME, glass, 'avif'],
    ['a browser of today', CHROME, moving, 'webp'],
    ['no AVIF', 'image/webp,*/*', opaque, 'webp'],
    ['no AVIF', 'image/webp,*/*', moving, 'webp'],
    ['a wildcard promises nothing new', '*/*', opaque, 'jpeg'],
    ['a wildcard promises nothing new', '*/*', glass, 'png'],
    ['a wildcard promises nothing new', '*/*', moving, 'gif'],
    ['nothing said', undefined, opaque, 'jpeg'],
    ['an older browser', OLD_SAFARI, opaque, 'png'],
    ['less AVIF than WebP', 'image/avif;q=0.5,image/webp', opaque, 'webp'],
    ['AVIF excluded', 'image/avif;q=0,image/webp;q=0.1', opaque, 'webp'],
    ['only one', 'image/gif', opaque, 'gif'],
    ['only one', 'image/avif', moving, 'avif'],
    ['none', 'text/html', opaque, undefined],
    ['none', 'image/tiff', opaque, undefined],
  ] as const)('%s: %s %j → %s', (_what, header, picture, format) => {
    expect(rankFormats(acceptedFormats(header), picture)[0]).toBe(format);
  });

  it('is that of everything for a job, which no header came with', () => {
    expect(rankFormats(undefined, opaque)).toEqual(['avif', 'webp', 'jpeg', 'png', 'gif']);
  });
});

describe('acceptedFormats', () => {
  it('makes equal keys of equal wishes', () => {
    const key = (header: string) => JSON.stringify(acceptedFormats(header));
    expect(key('image/webp, image/avif')).toBe(key('image/avif,image/webp;q=1.0,text/html'));
    expect(key('image/webp')).not.toBe(key('image/webp,image/avif'));
  });

  it('excludes nothing from best where no image type is spoken of', () => {
    expect(acceptedFormats('*/*', { format: 'best' })).toHaveProperty('avif');
    expect(acceptedFormats('image/jpeg', { format: 'best' })).toEqual({ jpeg: 1 });
    expect(acceptedFormats('*/*', { format: 'auto' })).not.toHaveProperty('avif');
  });
});

it('auto and best depend on the header, and nothing else does', () => {
  expect(['auto', 'best', 'webp', undefined].map((format) => isNegotiated({ format }))).toEqual([
    true,
    true,
    false,
    false,
  ]);
});
