import { expect, it } from 'vitest';
import { RecentMap } from '../../src/lib/recent-map.ts';

it('forgets what was not asked for the longest', () => {
  const map = new RecentMap<string, number>(2);
  map.set('a', 1);
  map.set('b', 2);
  expect(map.get('a')).toBe(1);
  map.set('c', 3);
  expect([...map.keys()]).toEqual(['a', 'c']);
  map.set('a', 4);
  map.set('d', 5);
  expect([...map.keys()]).toEqual(['a', 'd']);
  expect(map.get('b')).toBeUndefined();
  map.delete('a');
  expect(map.get('a')).toBeUndefined();
});
