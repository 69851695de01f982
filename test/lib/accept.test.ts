// The Accept header.

import { describe, expect, it } from 'vitest';
import { parseAccept } from '../../src/lib/accept.ts';

describe('parseAccept', () => {
  it.each([
    [undefined, 'image/avif', 1, false],
    ['*/*', 'image/avif', 1, false],
    ['image/*', 'image/avif', 1, false],
    ['image/avif', 'image/avif', 1, true],
    ['IMAGE/AVIF', 'image/avif', 1, true],
    ['image/avif;q=0', 'image/avif', 0, true],
    ['image/avif ; q=0.5', 'image/avif', 0.5, true],
    ['image/avif;level=1;q=0.5', 'image/avif', 0.5, true],
    ['text/html', 'image/avif', 0, false],
    ['', 'image/avif', 0, false],
    ['image/webp,*/*;q=0.1', 'image/avif', 0.1, false],
    // The most specific range decides, wherever it stands.
    ['*/*;q=1, image/*;q=0.5, image/avif;q=0.2', 'image/avif', 0.2, true],
    ['image/avif;q=0.2, image/*;q=0.5', 'image/png', 0.5, false],
    // What cannot be read says nothing.
    ['image/avif;q=2', 'image/avif', 0, false],
    ['image/avif;q=', 'image/avif', 0, false],
    ['image/avif;q=0.1234', 'image/avif', 0, false],
    [';;,,/,image,  image/avif', 'image/avif', 1, true],
  ])('%s: %s has %d', (header, mediaType, weight, named) => {
    expect(parseAccept(header)(mediaType)).toEqual({ weight, named });
  });

  it('does not read endless headers', () => {
    const header = `${'text/html,'.repeat(100)}image/avif`;
    expect(parseAccept(header)('image/avif').weight).toBe(0);
  });
});
