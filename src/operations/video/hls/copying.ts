// Whether a stream can take the source's picture over as it is: one rung, web-ready, keyframes close together.

import type { VideoStream } from '../../media-probe.ts';
import type { Source, Window } from '../../video-operation.ts';
import type { Analysis } from '../analysis.ts';
import { videoVerdict } from '../copy-rules.ts';
import { isInterlaced } from '../frames.ts';
import type { EvenRate } from './even-rate.ts';
import type { Rung } from './ladder.ts';
import type { HlsParams } from './params.ts';

/** A segment ends at the first keyframe after its time, so it may become so much longer. */
const MOST_KEYFRAME_SECONDS = 6;

/** Asked only where the answer may matter. */
export function keyframesQuestion(
  { codec, encode }: HlsParams,
  video: VideoStream,
): (Analysis & { kind: 'keyframes' }) | null {
  return encode === 'auto' && video.codec === codec ? { kind: 'keyframes', video: video.index } : null;
}

interface Copying {
  readonly copy: boolean;
  /** Of a segment; null where it is encoded. */
  readonly longestSeconds: number | null;
  readonly decisions: readonly string[];
}

/** Several rungs have to be cut at the same moments, which only an encoder can do. */
export function mayCopyPicture(
  asked: HlsParams,
  source: Source,
  video: VideoStream,
  {
    rungs,
    rate,
    window,
  }: { readonly rungs: readonly Rung[]; readonly rate: EvenRate; readonly window: Window },
): Copying {
  const encode = (why: string): Copying => ({
    copy: false,
    longestSeconds: null,
    decisions: [`picture encoded: ${why}`],
  });
  const [rung] = rungs;
  if (rung === undefined || rungs.length > 1) return { copy: false, longestSeconds: null, decisions: [] };
  if (!source.mayCopy) return encode('a copy of it did not pass its check');
  const verdict = videoVerdict(source.probe, {
    format: 'mp4',
    codec: asked.codec,
    encode: asked.encode,
    final: rung.size,
    quality: asked.quality !== undefined,
    maxBitrate: rung.maxKbps,
    fps: rate.forced,
    trimmed: window.start > 0 || window.end !== null,
    turned: false,
    drawn: null,
    interlaced: isInterlaced(source, video),
  });
  if (!verdict.copy) return encode(verdict.why);
  // Players of streams look at no matrix of a track.
  if (video.rotation !== 0) return encode('a stream cannot carry its rotation');
  const question = keyframesQuestion(asked, video);
  const apart = (question && source.findings.get(question)?.longestSeconds) ?? null;
  if (apart === null) return encode('it is not known how far its keyframes lie apart');
  if (apart > MOST_KEYFRAME_SECONDS) return encode(`its keyframes lie up to ${apart.toFixed(1)} s apart`);
  return {
    copy: true,
    longestSeconds: asked.segmentSeconds + apart,
    decisions: [`picture copied: ${verdict.why}`],
  };
}
