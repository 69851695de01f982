import { expect, it } from 'vitest';
import { localHints } from '../../src/lib/local-hints.ts';

it('tells every subscriber, later than the publisher and until it unsubscribes', async () => {
  const bus = localHints<string>();
  const heard: string[] = [];
  const listener = (hint: string): void => void heard.push(hint);
  const leave = bus.subscribe(listener);
  bus.subscribe(listener);
  bus.publish('first');
  expect(heard).toEqual([]);
  await Promise.resolve();
  expect(heard).toEqual(['first', 'first']);
  leave();
  leave();
  bus.publish('second');
  await Promise.resolve();
  expect(heard).toEqual(['first', 'first', 'second']);
});
