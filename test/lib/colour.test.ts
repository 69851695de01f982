// Colours: hex digits, a few names, nothing else.

import { describe, expect, it } from 'vitest';
import { COLOUR, parseColour } from '../../src/lib/colour.ts';

describe('parseColour', () => {
  it.each([
    ['ff8000', { r: 255, g: 128, b: 0, alpha: 1 }],
    ['#FF8000', { r: 255, g: 128, b: 0, alpha: 1 }],
    ['f80', { r: 255, g: 136, b: 0, alpha: 1 }],
    ['#f80f', { r: 255, g: 136, b: 0, alpha: 1 }],
    ['00ff0033', { r: 0, g: 255, b: 0, alpha: 0.2 }],
    ['white', { r: 255, g: 255, b: 255, alpha: 1 }],
    ['transparent', { r: 0, g: 0, b: 0, alpha: 0 }],
  ])('%s', (text, colour) => {
    expect(parseColour(text)).toEqual(colour);
  });

  it.each([
    '',
    '#',
    'ff',
    'fffff',
    'fffffff',
    'ggg',
    'White',
    'white ',
    '##fff',
    '#white',
    'rgb(1,2,3)',
    'constructor',
    'fff\n',
  ])('not %j', (text) => {
    expect(COLOUR.test(text)).toBe(false);
    expect(() => parseColour(text)).toThrow(RangeError);
  });
});
