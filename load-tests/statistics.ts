// Medians, percentiles and per-round ratios: how many noisy numbers become one.

/** The middle one, or the mean of the two in the middle. Throws RangeError for none. */
export function median(values: readonly number[]): number {
  const sorted = ascending(values);
  const half = sorted.length / 2;
  const low = sorted[Math.ceil(half) - 1];
  const high = sorted[Math.floor(half)];
  if (low === undefined || high === undefined) throw new RangeError('there is no median of nothing');
  return (low + high) / 2;
}

/**
 * The smallest value that `percent` per cent (0–100) of all values do not exceed: the nearest rank, always one that
 * was measured. Throws RangeError for none.
 */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = ascending(values);
  // 99 % of 100 values is 99 of them, not 100: without the margin, floating point makes it 99.00000000000001.
  const rank = Math.max(1, Math.ceil((percent / 100) * sorted.length - 1e-9));
  const value = sorted[rank - 1];
  if (value === undefined) throw new RangeError('there is no percentile of nothing');
  return value;
}

/** One ratio a round: each divides what was measured next to each other in time, so that slow noise cancels out. */
export function ratios(measured: readonly number[], floor: readonly number[]): number[] {
  if (measured.length !== floor.length) throw new RangeError('every round needs its floor');
  return measured.map((value, round) => value / (floor[round] as number));
}

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function spread(values: readonly number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

function ascending(values: readonly number[]): number[] {
  return values.toSorted((a, b) => a - b);
}
