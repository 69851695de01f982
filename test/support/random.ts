// Random numbers that can be had again: a failing round is repeated by its seed.

export interface Random {
  /** 0 ≤ x < 1. */
  next(): number;
  /** A whole number, both ends inclusive. */
  between(low: number, high: number): number;
  pick<T>(items: readonly T[]): T;
}

/** mulberry32: small, and good enough to choose moments and victims. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1));
  return {
    next,
    between,
    pick<T>(items: readonly T[]): T {
      if (items.length === 0) throw new RangeError('nothing to pick from');
      return items[between(0, items.length - 1)] as T;
    },
  };
}
