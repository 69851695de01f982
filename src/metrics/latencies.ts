// How long answers took, finely enough for percentiles of a few seconds of traffic; counts of processes can be added up.

/** Buckets a doubling: a percentile is right to a fifth at worst. */
const PER_DOUBLING = 4;
/** Milliseconds at which the first bucket ends. */
const FIRST_MS = 0.25;
/** 0.25 ms × 2^(88/4): more than an hour. */
const BUCKETS = 89;

/** A fresh count: the number of answers in each bucket. */
export function noLatencies(): number[] {
  return Array.from({ length: BUCKETS }, () => 0);
}

/** Counts one answer. */
export function addLatency(counts: number[], milliseconds: number): void {
  const index = Math.ceil(Math.log2(Math.max(milliseconds, FIRST_MS) / FIRST_MS) * PER_DOUBLING);
  counts[Math.min(index, BUCKETS - 1)]! += 1;
}

/** The percentile in milliseconds (`share` 0–1), or null where nothing was counted. */
export function percentile(counts: readonly number[], share: number): number | null {
  let left = share * counts.reduce((sum, count) => sum + count, 0);
  for (const [index, count] of counts.entries()) {
    if (count === 0) continue;
    if (left > count) {
      left -= count;
      continue;
    }
    const upper = FIRST_MS * 2 ** (index / PER_DOUBLING);
    const lower = index === 0 ? 0 : FIRST_MS * 2 ** ((index - 1) / PER_DOUBLING);
    return lower + (upper - lower) * (left / count);
  }
  return null;
}
