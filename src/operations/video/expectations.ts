// What a result must turn out to be: how long, and at most how large.

import type { MediaProbe } from '../media-probe.ts';
import type { Size, Window } from '../video-operation.ts';

export interface ExpectedDuration {
  readonly seconds: number | null;
  /** Known from the streams themselves. The container's duration may be that of subtitles. */
  readonly exact: boolean;
}

/** How long an output of these streams becomes. */
export function expectedSeconds(
  probe: MediaProbe,
  window: Window,
  streams: readonly { readonly durationSeconds: number | null }[],
): ExpectedDuration {
  const durations = streams.map(({ durationSeconds }) => durationSeconds);
  const exact = durations.every((duration) => duration !== null);
  const whole = exact ? Math.max(...durations) : probe.durationSeconds;
  const end = Math.min(whole ?? Infinity, window.end ?? Infinity);
  if (!Number.isFinite(end)) return { seconds: null, exact: false };
  return { seconds: Math.max(0, end - window.start), exact };
}

const SLACK_BYTES = 64 * 1024 * 1024;
/** Of noise at the best quality; a film has a twentieth of it. */
const MAX_BITS_PER_PIXEL = 2;
const MAX_SOUND_BITS = 1_000_000;
/** Where nothing is known: an hour. */
const GUESSED_SECONDS = 3600;

/** More than any honest result has: a wall against a disk filled by mistake or malice. */
export function maxBytes(
  probe: MediaProbe,
  seconds: number | null,
  { width, height }: Size,
  fps: number | null,
): number {
  const length = seconds ?? probe.durationSeconds ?? GUESSED_SECONDS;
  const bits = length * (width * height * (fps ?? 60) * MAX_BITS_PER_PIXEL + MAX_SOUND_BITS);
  return Math.ceil(SLACK_BYTES + bits / 8);
}
