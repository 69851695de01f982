// Where to begin reading for a moment: in most containers right there, in some a while before.

import type { MediaProbe } from '../media-probe.ts';

/** Streams for broadcast have no index. FFmpeg's guess may land behind the last keyframe before the moment: nothing comes then. */
const WITHOUT_INDEX = /^(?:mpegts|mpeg)$/;
/** Longer than broadcasters' keyframes lie apart. */
const LEAD_SECONDS = 10;

/** Seconds of the source at which to begin, so that `at` is certainly reached: `at` itself, or before. */
export function seekFor({ container }: Pick<MediaProbe, 'container'>, at: number): number {
  return WITHOUT_INDEX.test(container) ? Math.max(0, at - LEAD_SECONDS) : at;
}
