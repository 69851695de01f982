import { expect, it } from 'vitest';
import { FreshMap } from '../../src/lib/fresh-map.ts';

it('asks once for all who ask within its time, and anew after it', async () => {
  let time = 0;
  let asked = 0;
  const map = new FreshMap(async (key: string) => `${key}${++asked}`, {
    forMs: 100,
    most: 10,
    clock: () => time,
  });
  expect(await Promise.all([map.get('a'), map.get('a'), map.get('b')])).toEqual(['a1', 'a1', 'b2']);
  time = 99;
  expect(await map.get('a')).toBe('a1');
  time = 100;
  expect(await map.get('a')).toBe('a3');
  map.forget('a');
  expect(await map.get('a')).toBe('a4');
});

it('counts the time from when it was asked for, not from when it was answered', async () => {
  let time = 0;
  const { promise, resolve } = Promise.withResolvers<number>();
  const answers = [promise, Promise.resolve(2)];
  const map = new FreshMap(async () => answers.shift(), { forMs: 100, most: 10, clock: () => time });
  const first = map.get('a');
  time = 100;
  resolve(1);
  expect(await first).toBe(1);
  expect(await map.get('a')).toBe(2);
});

it('tells a failure to those who wait, and does not remember it', async () => {
  let asked = 0;
  const map = new FreshMap(
    async () => {
      if (++asked === 1) throw new Error('busy');
      return asked;
    },
    { forMs: 100, most: 10, clock: () => 0 },
  );
  const both = [map.get('a'), map.get('a')];
  for (const each of both) await expect(each).rejects.toThrow('busy');
  expect(await map.get('a')).toBe(2);
});
