// text: written as it is, with the fonts of the server, and never read as markup.

import { afterAll, describe, expect, it } from 'vitest';
import { escapeMarkup } from '../../../src/lib/escape-markup.ts';
import { imageOutputSchema } from '../../../src/operations/image.ts';
import { testPool } from '../../engines/pictures.ts';
import { seededRandom } from '../../support/random.ts';
import { made, near, patches } from './patches.ts';
import type { Looked } from './patches.ts';

const engine = testPool();
afterAll(() => engine.close());

const base = () => patches(300, 120, 'black');
const write = async (text: string, params: object = {}): Promise<Looked> =>
  made(engine, await base(), [{ op: 'text', text, size: 30, gravity: 'northwest', ...params }]);

/** The rectangle that holds everything that is not black. */
function inkOf({ width, height, at }: Looked): { left: number; top: number; right: number; bottom: number } {
  let [left, top, right, bottom] = [Infinity, Infinity, -1, -1];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (
        at(x, y)
          .slice(0, 3)
          .every((value) => value < 40)
      )
        continue;
      [left, top, right, bottom] = [
        Math.min(left, x),
        Math.min(top, y),
        Math.max(right, x),
        Math.max(bottom, y),
      ];
    }
  }
  return { left, top, right, bottom };
}

describe('text', () => {
  it('is written where it should be, in its colour', async () => {
    const one = await write('Hill', { colour: 'lime' });
    const ink = inkOf(one);
    expect(ink.left).toBeLessThan(8);
    expect(ink.right).toBeGreaterThan(35);
    expect(ink.right).toBeLessThan(80);
    expect(ink.bottom - ink.top).toBeGreaterThan(18);
    expect(ink.bottom - ink.top).toBeLessThan(40);
    const colours = new Set(one.at(ink.left + 2, 15).map(String));
    expect(
      near(one.at(ink.left + 2, Math.round((ink.top + ink.bottom) / 2)), [0, 255, 0, 255], 40),
      [...colours].join(),
    ).toBe(true);
    const other = inkOf(await write('Hill', { gravity: 'southeast', x: 10, y: 5 }));
    expect(other.right).toBeGreaterThan(280);
    expect(other.right).toBeLessThan(291);
    expect(other.bottom).toBeLessThan(116);
  });

  it('grows with its size, and differs by its font', async () => {
    const [small, large] = [
      inkOf(await write('Hill', { size: 20 })),
      inkOf(await write('Hill', { size: 60 })),
    ];
    expect(large.right / small.right).toBeGreaterThan(2.4);
    const widths = await Promise.all(
      (['sans', 'sans-bold', 'serif', 'mono', 'condensed'] as const).map(
        async (font) => inkOf(await write('Willing', { font })).right,
      ),
    );
    expect(new Set(widths).size).toBeGreaterThan(3);
  });

  it('is broken into lines at its width', async () => {
    const [one, two] = [inkOf(await write('mmmm mmmm')), inkOf(await write('mmmm mmmm', { width: 150 }))];
    expect(two.right).toBeLessThan(151);
    expect(two.bottom).toBeGreaterThan(one.bottom + 20);
  });

  it('has an outline, which makes it larger, and an opacity', async () => {
    const plain = inkOf(await write('I', { gravity: 'centre', size: 40 }));
    const lined = await write('I', { gravity: 'centre', size: 40, outline: 4, outlineColour: 'red' });
    const ink = inkOf(lined);
    expect(ink.right - ink.left).toBe(plain.right - plain.left + 8);
    const middle = Math.round((ink.top + ink.bottom) / 2);
    expect(near(lined.at(ink.left + 2, middle), [255, 0, 0, 255], 60)).toBe(true);
    const faint = await write('▇', { size: 60, opacity: 0.5 });
    const values = Array.from({ length: 60 }, (_, x) => faint.at(x, 40)[0]!);
    expect(Math.max(...values)).toBeGreaterThan(120);
    expect(Math.max(...values)).toBeLessThan(136);
  });

  it('runs from the right where the script does: the start of short lines is there', async () => {
    const bottomHalf = (look: Looked) => {
      const { top, bottom } = inkOf(look);
      const from = Math.round((top + bottom) / 2) + 4;
      return inkOf({ ...look, at: (x, y) => (y < from ? [0, 0, 0, 255] : look.at(x, y)) });
    };
    const latin = bottomHalf(await write('mmmmmmmm\ni'));
    const hebrew = bottomHalf(await write('שלום עולם שלום\nש'));
    expect(latin.left).toBeLessThan(10);
    expect(hebrew.left).toBeGreaterThan(100);
    expect(inkOf(await write('مرحبا')).right).toBeGreaterThan(30);
  });

  it('draws something for characters that the font lacks', async () => {
    expect(inkOf(await write('漢字')).right).toBeGreaterThan(30);
  });

  it('keeps the picture where it draws nothing that can be seen', async () => {
    const { right } = inkOf(await write('\u2800'));
    expect(right).toBe(-1);
  });

  it('is refused where it is nothing, control characters, or would fill a wall', async () => {
    for (const text of [
      '',
      '   ',
      'a\u0000b',
      'a\u001bb',
      '\ud800',
      'x'.repeat(501),
      'a\n'.repeat(21),
      `a${'\u0300'.repeat(5)}`,
    ]) {
      expect(
        imageOutputSchema.safeParse({ type: 'image', steps: [{ op: 'text', text }] }).success,
        text,
      ).toBe(false);
    }
    await expect(write('mm '.repeat(160), { size: 500 })).rejects.toMatchObject({
      code: 'rendition_too_large',
    });
  });
});

describe('markup', () => {
  it('is written, not read', async () => {
    const tagged = inkOf(await write('<b>i</b>'));
    expect(tagged.right).toBeGreaterThan(inkOf(await write('i')).right + 60);
    for (const text of [
      '&',
      '&amp;',
      '<',
      '</span>',
      '<span foreground="red">x',
      '&#60;',
      '\'"',
      ']]>',
      '<!--',
    ]) {
      expect(inkOf(await write(text)).right, text).toBeGreaterThan(2);
    }
    // What would be one character as an entity is five.
    expect(inkOf(await write('&amp;')).right).toBeGreaterThan(inkOf(await write('&')).right * 2.5);
  });

  it('never gets through, whatever the text is', () => {
    const random = seededRandom(11);
    const odd = [
      '<',
      '>',
      '&',
      '"',
      "'",
      ';',
      '#',
      'x',
      'amp',
      '/',
      'span',
      '\n',
      ' ',
      'ü',
      '漢',
      '\\',
      '%',
      '$&',
    ];
    for (let round = 0; round < 10_000; round++) {
      const text = Array.from({ length: random.between(0, 12) }, () => random.pick(odd)).join('');
      const escaped = escapeMarkup(text);
      expect(escaped).not.toMatch(/[<>"']|&(?!(?:amp|lt|gt|quot|#39);)/);
      const read = escaped
        .replace(
          /&(lt|gt|quot|#39);/g,
          (_, name: string) => ({ lt: '<', gt: '>', quot: '"', '#39': "'" })[name] ?? '',
        )
        .replaceAll('&amp;', '&');
      expect(read).toBe(text);
    }
  });

  it('has no way to sharp but this: no other parameter of any operation is free text', () => {
    // Strings that reach native code are enumerations, checked colours, the escaped text and our own fonts.
    for (const hostile of ['<svg onload=1>', 'url(file:///etc/passwd)', 'DejaVu Sans 900', '"/><script>']) {
      const steps = [
        { op: 'text', text: 'a', font: hostile },
        { op: 'text', text: 'a', colour: hostile },
        { op: 'text', text: 'a', outlineColour: hostile },
        { op: 'text', text: 'a', align: hostile },
        { op: 'extend', top: 1, background: hostile },
        { op: 'extend', top: 1, fill: hostile },
        { op: 'flatten', background: hostile },
        { op: 'tint', colour: hostile },
        { op: 'duotone', shadows: hostile, highlights: 'red' },
        { op: 'trim', background: hostile },
        { op: 'composite', source: hostile },
        { op: 'composite', source: 'upload:a', blend: hostile },
        { op: 'resize', width: 5, height: 5, fit: 'cover', focus: hostile },
      ];
      for (const step of steps) {
        expect(
          imageOutputSchema.safeParse({ type: 'image', steps: [step] }).success,
          JSON.stringify(step),
        ).toBe(false);
      }
    }
  });
});
