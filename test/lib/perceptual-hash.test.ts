import { expect, it } from 'vitest';
import { differenceHash } from '../../src/lib/perceptual-hash.ts';

const grey = (value: (x: number, y: number) => number): number[] =>
  Array.from({ length: 72 }, (_, i) => value(i % 9, Math.floor(i / 9)));

it('has a 1 where it gets brighter to the right, row by row', () => {
  expect(differenceHash(grey((x) => x))).toBe('ffffffffffffffff');
  expect(differenceHash(grey((x) => -x))).toBe('0000000000000000');
  expect(differenceHash(grey(() => 7))).toBe('0000000000000000');
  expect(differenceHash(grey((x, y) => (y === 0 ? x : -x)))).toBe('ff00000000000000');
  expect(differenceHash(grey((x, y) => (y === 7 && x === 8 ? 1 : 0)))).toBe('0000000000000001');
});

it('does not change with brightness and contrast', () => {
  const wave = (x: number, y: number): number => Math.sin(x * 1.3 + y * 0.7) * 50 + 100;
  expect(differenceHash(grey((x, y) => wave(x, y) * 0.5 + 40))).toBe(differenceHash(grey(wave)));
});
