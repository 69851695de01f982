// Asking processes: whoever is silent holds nobody up, and nothing piles up in front of it.

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createAsking } from '../../src/cluster/asking.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const asking = (): { sent: number[]; asking: ReturnType<typeof createAsking<string>> } => {
  const sent: number[] = [];
  return { sent, asking: createAsking<string>({ send: (process) => void sent.push(process), waitMs: 1000 }) };
};

test('all answers come at once', async () => {
  const { sent, asking: all } = asking();
  const answers = all.ask([1, 2]);
  expect(sent).toEqual([1, 2]);
  all.answered(2, 'two');
  all.answered(1, 'one');
  expect(await answers).toEqual(
    new Map([
      [2, 'two'],
      [1, 'one'],
    ]),
  );
  expect(vi.getTimerCount()).toBe(0);
});

test('nobody to ask is answered at once', async () => {
  expect(await asking().asking.ask([])).toEqual(new Map());
  expect(vi.getTimerCount()).toBe(0);
});

test('one that does not answer is left out after a second, and not asked again', async () => {
  const { sent, asking: all } = asking();
  for (let i = 0; i < 50; i++) {
    const answers = all.ask([1, 2]);
    all.answered(1, 'one');
    await vi.advanceTimersByTimeAsync(1000);
    expect(await answers).toEqual(new Map([[1, 'one']]));
  }
  expect(sent.filter((process) => process === 2)).toEqual([2]);
});

test('a late answer is one to whoever asks then', async () => {
  const { sent, asking: all } = asking();
  const first = all.ask([2]);
  await vi.advanceTimersByTimeAsync(1000);
  expect(await first).toEqual(new Map());
  const second = all.ask([2]);
  all.answered(2, 'late');
  expect(await second).toEqual(new Map([[2, 'late']]));
  void all.ask([2]);
  expect(sent).toEqual([2, 2]);
});

test('one that is gone, or has no answer, is not waited for', async () => {
  const { sent, asking: all } = asking();
  const answers = all.ask([1, 2]);
  all.gone(1);
  all.answered(2, undefined);
  expect(await answers).toEqual(new Map());
  // And would be asked again.
  void all.ask([2]);
  expect(sent).toEqual([1, 2, 2]);
});

test('several who ask at the same time share the question', async () => {
  const { sent, asking: all } = asking();
  const both = Promise.all([all.ask([1]), all.ask([1])]);
  all.answered(1, 'one');
  expect(await both).toEqual([new Map([[1, 'one']]), new Map([[1, 'one']])]);
  expect(sent).toEqual([1]);
});
