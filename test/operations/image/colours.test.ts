// Operations on colours, seen at single pixels of what the engine makes.

import { afterAll, describe, expect, it } from 'vitest';
import { picture, testPool } from '../../engines/pictures.ts';
import { made, near, patches } from './patches.ts';
import type { Step } from './patches.ts';

const engine = testPool();
afterAll(() => engine.close());

const RED = '#c81e1e';
const half = (colour: string) => ({ left: 20, top: 0, width: 20, height: 20, colour });
/** Left and right halves after a step. */
async function halves(step: Step, left: string, right: string): Promise<[number[], number[]]> {
  const { at } = await made(engine, await patches(40, 20, left, half(right)), [step]);
  return [at(5, 10), at(34, 10)];
}

describe('grayscale', () => {
  it('leaves brightness only', async () => {
    const [red, green] = await halves({ op: 'grayscale' }, '#ff0000', '#00ff00');
    for (const [r, g, b, alpha] of [red, green]) expect([g, b, alpha]).toEqual([r, r, 255]);
    expect(green[0]).toBeGreaterThan(red[0]! + 50);
  });
});

describe('tint', () => {
  it('has one hue from black to white', async () => {
    const [dark, middle] = await halves({ op: 'tint', colour: 'ff8000' }, 'black', 'gray');
    expect(near(dark, [0, 0, 0, 255])).toBe(true);
    expect(middle[0]).toBeGreaterThan(middle[1]!);
    expect(middle[1]).toBeGreaterThan(middle[2]!);
  });
});

describe('duotone', () => {
  it('makes black one colour, white the other, and grey what lies between', async () => {
    const step: Step = { op: 'duotone', shadows: '1b1f5e', highlights: 'ffd34e' };
    const [black, white] = await halves(step, 'black', 'white');
    expect(near(black, [0x1b, 0x1f, 0x5e, 255], 1)).toBe(true);
    expect(near(white, [0xff, 0xd3, 0x4e, 255], 1)).toBe(true);
    const [grey] = await halves(step, '#808080', 'white');
    expect(near(grey, [0x8d, 0x79, 0x56, 255], 2)).toBe(true);
  });
});

describe('modulate', () => {
  it('takes colour away, brightens, turns', async () => {
    const [grey] = await halves({ op: 'modulate', saturation: 0 }, RED, RED);
    expect(Math.max(...grey.slice(0, 3)) - Math.min(...grey.slice(0, 3))).toBeLessThan(6);
    const [dark, bright] = [
      await halves({ op: 'modulate', brightness: 0.5 }, '#808080', RED),
      await halves({ op: 'modulate', lightness: 20 }, '#808080', RED),
    ];
    expect(dark[0][0]).toBeLessThan(100);
    expect(bright[0][0]).toBeGreaterThan(150);
    const [turned] = await halves({ op: 'modulate', hue: 120 }, RED, RED);
    expect(turned[1]).toBeGreaterThan(turned[0]!);
  });
});

describe('gamma', () => {
  it('moves the middle and neither end', async () => {
    const [black, white] = await halves({ op: 'gamma', gamma: 2 }, 'black', 'white');
    expect([black, white]).toEqual([
      [0, 0, 0, 255],
      [255, 255, 255, 255],
    ]);
    const [brighter] = await halves({ op: 'gamma', gamma: 2 }, '#404040', 'white');
    expect(near(brighter, [128, 128, 128, 255], 2)).toBe(true);
    const [darker] = await halves({ op: 'gamma', gamma: 0.5 }, '#808080', 'white');
    expect(near(darker, [64, 64, 64, 255], 2)).toBe(true);
  });
});

describe('normalise', () => {
  it('stretches from black to white', async () => {
    const [dark, bright] = await halves({ op: 'normalise' }, '#505050', '#909090');
    expect(dark[0]).toBeLessThan(12);
    expect(bright[0]).toBeGreaterThan(243);
  });
});

describe('negate', () => {
  it('turns colours around and leaves transparency', async () => {
    const [one, other] = await halves({ op: 'negate' }, '#ff800020', 'black');
    expect(near(one, [0, 127, 255, 32], 1)).toBe(true);
    expect(other).toEqual([255, 255, 255, 255]);
  });

  it('is not undone by the white that a JPEG gets behind it', async () => {
    const source = await patches(40, 20, '#00000000', half('black'));
    const { at } = await made(engine, source, [{ op: 'negate' }], { format: 'jpeg' });
    expect(near(at(5, 10), [255, 255, 255, 255])).toBe(true);
  });
});

describe('threshold', () => {
  it('knows black and white, and leaves transparency', async () => {
    const [from, below] = await halves({ op: 'threshold', level: 128 }, '#80808080', '#7f7f7f');
    expect(below).toEqual([0, 0, 0, 255]);
    expect(from).toEqual([255, 255, 255, 128]);
  });

  it('means 8 bits where the source has 16', async () => {
    const source = await picture(40, 20).toColourspace('rgb16').png().toBuffer();
    const { at } = await made(engine, source, [{ op: 'threshold', level: 100 }]);
    const values = new Set([at(1, 1), at(38, 18)].map(([value]) => value));
    expect(values).toEqual(new Set([0, 255]));
  });
});

describe('clahe', () => {
  it('raises contrast and leaves transparency', async () => {
    const source = await patches(80, 80, '#70707040', {
      left: 30,
      top: 30,
      width: 20,
      height: 20,
      colour: '#7c7c7c',
    });
    const { at } = await made(engine, source, [{ op: 'clahe', size: 40, maxSlope: 100 }]);
    expect(at(40, 40)[0]! - at(25, 40)[0]!).toBeGreaterThan(24);
    expect(at(5, 5)[3]).toBe(64);
  });

  it('takes a picture smaller than its square', async () => {
    const { width } = await made(engine, await picture(9, 7).png().toBuffer(), [{ op: 'clahe' }]);
    expect(width).toBe(9);
  });
});
