// One even frame rate for a ladder.

import type { MediaProbe, VideoStream } from '../../media-probe.ts';

const MAX_FPS = 60;
/** Containers whose mean rate is counted from their frames. */
const COUNTED = /^(?:mov|avi)\b/;

export interface EvenRate {
  readonly fps: number;
  /** For the `fps` filter; null: frames come at that rate already. */
  readonly forced: number | null;
  readonly decisions: readonly string[];
}

/** Rungs must have their keyframes at the same moments, so their frames come at one even rate. */
export function evenRate(
  wished: number | null,
  { container }: Pick<MediaProbe, 'container'>,
  { fps, baseFps }: Pick<VideoStream, 'fps' | 'baseFps'>,
): EvenRate {
  const own = fps ?? baseFps ?? 30;
  const most = Math.min(wished ?? MAX_FPS, MAX_FPS);
  const varies = baseFps === null || fps === null || Math.abs(baseFps - fps) > 0.001 * fps;
  if (!varies && own <= most * 1.001) {
    // Matroska and transport streams say a rate, and may leave out frames all the same.
    return { fps: own, forced: COUNTED.test(container) ? null : own, decisions: [] };
  }
  // A rate that varies is made even at the one that all its moments fit on, unless that is a clock's.
  const even = varies && baseFps !== null && baseFps <= 2 * own ? baseFps : own;
  const forced = Math.min(even, most);
  return {
    fps: forced,
    forced,
    decisions: [
      `${Math.round(forced * 1000) / 1000} frames per second: ${varies ? 'those of the source come unevenly' : `the source has ${Math.round(own * 1000) / 1000}`}`,
    ],
  };
}
