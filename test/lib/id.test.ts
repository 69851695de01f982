import { describe, expect, it } from 'vitest';
import { isId, newId } from '../../src/lib/id.ts';

describe('newId', () => {
  it('sorts by time', () => {
    const ids = [1, 31, 32, 1_000_000, Date.now(), Date.now() + 1].map(newId);
    expect(ids.toSorted()).toEqual(ids);
  });
  it('is never the same twice, also within a millisecond', () => {
    expect(new Set(Array.from({ length: 10_000 }, () => newId(5))).size).toBe(10_000);
  });
  it('is recognised, and nothing else is', () => {
    expect(isId(newId())).toBe(true);
    for (const other of [
      '',
      '../x',
      newId().slice(1),
      `${newId()}0`,
      newId().replace(/.$/, 'l'),
      newId().toUpperCase(),
    ]) {
      expect(isId(other), other).toBe(false);
    }
  });
});
