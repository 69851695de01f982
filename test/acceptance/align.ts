// Two videos or two sounds held against one another: how alike they are, and how far apart in time. Pure.

import type { Frames } from './look.ts';
import { RATE } from './look.ts';

/** A stretch of the result, in seconds. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
}

export interface PictureMatch {
  /** Seconds by which the result shows things later than the source does. */
  readonly shift: number;
  /** Mean difference of their bytes, 0–255; of all frames the one in the middle. */
  readonly difference: number;
  /** Correlation of their pixels, at most 1; null where the pictures are blank. */
  readonly likeness: number | null;
  readonly frames: number;
}

/** Frames to both sides within which the like one is looked for. */
const REACH = 8;
/** The one at the right time is taken unless another is clearly more alike: pictures that stand still look all the same. */
const CLEARLY = 0.88;

const frame = ({ pixels, width, height }: Frames, index: number): Uint8Array => {
  const bytes = width * height * 3;
  return pixels.subarray(index * bytes, (index + 1) * bytes);
};

export function nearest(times: readonly number[], time: number): number {
  let low = 0;
  let high = times.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] ?? 0) < time) low = middle + 1;
    else high = middle;
  }
  const before = times[low - 1];
  return before !== undefined && time - before < Math.abs((times[low] ?? 0) - time) ? low - 1 : low;
}

/** The frame that is shown at a time. Where all last equally long it is the nearest: times are rounded in many ways. */
function shownAt(times: readonly number[], time: number): number {
  const gaps = times.slice(1).map((at, index) => at - (times[index] ?? 0));
  const [shortest, longest] = [Math.min(...gaps), Math.max(...gaps)];
  const index = nearest(times, time);
  const isLater = (times[index] ?? 0) > time + shortest / 2;
  return longest > shortest * 1.9 && isLater ? Math.max(0, index - 1) : index;
}

function difference(a: Uint8Array, b: Uint8Array): number {
  let sum = 0;
  for (let index = 0; index < a.length; index++) sum += Math.abs(a[index]! - b[index]!);
  return sum / a.length;
}

/** Pearson's, or null where one of them has next to no contrast. */
function correlation(a: Uint8Array, b: Uint8Array): number | null {
  let [sumA, sumB, squaresA, squaresB, products] = [0, 0, 0, 0, 0];
  for (let index = 0; index < a.length; index++) {
    const x = a[index] ?? 0;
    const y = b[index] ?? 0;
    sumA += x;
    sumB += y;
    squaresA += x * x;
    squaresB += y * y;
    products += x * y;
  }
  const n = a.length;
  const spread = (squares: number, sum: number): number => squares / n - (sum / n) ** 2;
  const [ofA, ofB] = [spread(squaresA, sumA), spread(squaresB, sumB)];
  if (ofA < 9 || ofB < 9) return null;
  return (products / n - (sumA / n) * (sumB / n)) / Math.sqrt(ofA * ofB);
}

/**
 * Where the source has the pictures that the result shows in a stretch. `offset`: second of the source at which the
 * result begins. Null where the result has no frames there.
 */
export function matchPictures(
  source: Frames,
  result: Frames,
  { from, to }: Stretch,
  offset = 0,
): PictureMatch | null {
  const shown = result.times.flatMap((time, index) => (time >= from && time < to ? [{ time, index }] : []));
  if (shown.length === 0 || source.times.length === 0) return null;
  const pairs = shown.map(({ time, index }) => ({
    time,
    index,
    like: shownAt(source.times, time + offset),
  }));
  const last = source.times.length - 1;
  const costs = new Map<number, number>();
  for (let step = -REACH; step <= REACH; step++) {
    const there = pairs.filter(({ like }) => like + step >= 0 && like + step <= last);
    if (there.length < Math.max(1, pairs.length / 2)) continue;
    const sum = there.reduce(
      (total, { index, like }) => total + difference(frame(result, index), frame(source, like + step)),
      0,
    );
    costs.set(step, sum / there.length);
  }
  let best = 0;
  const here = costs.get(0) ?? Infinity;
  for (const [step, cost] of costs) {
    if (cost < (costs.get(best) ?? Infinity) && cost < here * CLEARLY - 0.3) best = step;
  }
  const matched = pairs.flatMap(({ time, index, like }) => {
    const at = source.times[like + best];
    return at === undefined ? [] : [{ late: time + offset - at, index, like: like + best }];
  });
  const likenesses = matched
    .map(({ index, like }) => correlation(frame(result, index), frame(source, like)))
    .filter((value) => value !== null);
  return {
    shift: median([...firstShown(matched).values()]),
    difference: median(
      matched.map(({ index, like }) => difference(frame(result, index), frame(source, like))),
    ),
    likeness: likenesses.length === 0 ? null : median(likenesses),
    frames: shown.length,
  };
}

/** How late each frame of the source is when it is first shown: where a gap is filled, it is shown again and again. */
function firstShown(
  matched: readonly { readonly like: number; readonly late: number }[],
): Map<number, number> {
  const first = new Map<number, number>();
  for (const { like, late } of matched) first.set(like, Math.min(late, first.get(like) ?? Infinity));
  return first;
}

/** The frame of a source that a picture resembles most, and how much. `pixels`: RGB of the source's size. */
export function mostAlike(
  source: Frames,
  pixels: Uint8Array,
): { readonly seconds: number; readonly likeness: number; readonly difference: number } {
  let best = { seconds: 0, likeness: -1, difference: Infinity };
  for (const [index, seconds] of source.times.entries()) {
    const other = frame(source, index);
    const apart = difference(pixels, other);
    if (apart < best.difference) {
      best = { seconds, difference: apart, likeness: correlation(pixels, other) ?? 1 };
    }
  }
  return best;
}

export const frameAt = (frames: Frames, seconds: number): Uint8Array =>
  frame(frames, nearest(frames.times, seconds));

export const apart = difference;

export interface SoundMatch {
  /** Seconds by which the result is heard later than the source. */
  readonly lag: number;
  /** Correlation at that lag, at most 1. */
  readonly likeness: number;
}

/** Seconds to both sides within which the like sound is looked for. */
const LAG_REACH = 0.2;
/** Seconds of sound that are compared. */
const HEARD = 1;

/**
 * How late the result is heard in its loudest second of a stretch. Null where it is silent there. `offset` as above.
 */
export function matchSounds(
  source: Float32Array,
  result: Float32Array,
  stretch: Stretch,
  offset = 0,
): SoundMatch | null {
  const from = Math.max(0, Math.round(stretch.from * RATE));
  const to = Math.min(result.length, Math.round(stretch.to * RATE));
  const length = Math.min(Math.round(HEARD * RATE), to - from);
  if (length < RATE / 20) return null;
  const start = loudest(result, from, to - length, length);
  const wanted = result.subarray(start, start + length);
  const power = energy(wanted);
  if (power / length < 1e-7) return null;
  const shiftBy = Math.round(offset * RATE);
  const reach = Math.round(LAG_REACH * RATE);
  // What lies before the source's beginning and behind its end is silence.
  const first = start + shiftBy - reach;
  const around = new Float32Array(length + 2 * reach);
  const known = source.subarray(Math.max(0, first), Math.max(0, first + around.length));
  around.set(known, Math.min(around.length, Math.max(0, -first)));
  /** Energy of all that is before an index. */
  const before = new Float64Array(around.length + 1);
  for (let index = 0; index < around.length; index++)
    before[index + 1] = before[index]! + around[index]! ** 2;
  let best = { lag: 0, likeness: -Infinity };
  for (let lag = -reach; lag <= reach; lag++) {
    const at = reach - lag;
    let product = 0;
    for (let index = 0; index < length; index++) product += around[at + index]! * wanted[index]!;
    const other = before[at + length]! - before[at]!;
    const likeness = other === 0 ? 0 : product / Math.sqrt(other * power);
    if (likeness > best.likeness) best = { lag: lag / RATE, likeness };
  }
  return best;
}

function energy(samples: Float32Array): number {
  let sum = 0;
  for (let index = 0; index < samples.length; index++) sum += samples[index]! ** 2;
  return sum;
}

function loudest(samples: Float32Array, from: number, to: number, length: number): number {
  let best = from;
  let most = -1;
  for (let start = from; start <= to; start += RATE / 8) {
    const power = energy(samples.subarray(start, start + length));
    if (power > most) [best, most] = [start, power];
  }
  return best;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
