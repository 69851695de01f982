// Bounds of a source, from its probe: refused before any frame is decoded.

import type { MediaProbe } from '../operations/media-probe.ts';
import type { OutputPart } from '../operations/video-operation.ts';
import { shownSize } from '../operations/video/geometry.ts';
import { Problem } from '../problems.ts';
import { MAX_CHANNELS, MAX_FPS, MAX_STREAMS } from './ffmpeg-input.ts';

/** Pixels. x264 makes no larger pictures. */
const MAX_SIDE = 16_384;

export interface SourceBounds {
  readonly maxSeconds: number;
  /** Of one frame. */
  readonly maxPixels: number;
}

/** Sources may be joined to something longer than each of them. Throws `video_too_long`. */
export function checkLength(
  parts: Readonly<Record<string, Pick<OutputPart, 'pieces'>>>,
  { maxSeconds }: Pick<SourceBounds, 'maxSeconds'>,
): void {
  for (const [name, { pieces }] of Object.entries(parts)) {
    const longest = Math.max(0, ...pieces.map(({ expects }) => expects.durationSeconds ?? 0));
    // Rounding to whole frames is no fault of anybody's.
    if (longest <= maxSeconds + 1) continue;
    throw new Problem(
      'video_too_long',
      `Output "${name}" would last ${Math.round(longest)} s; at most ${maxSeconds} s are made. Join fewer or shorter videos.`,
    );
  }
}

/** A length that was measured, which is not done further than a second past the bound. Throws `video_too_long`. */
export function checkMeasured(
  seconds: number | null,
  { maxSeconds }: Pick<SourceBounds, 'maxSeconds'>,
): void {
  if (seconds === null || seconds <= maxSeconds) return;
  throw new Problem(
    'video_too_long',
    `The video lasts more than ${maxSeconds} s, the most that is taken. Cut it before you send it.`,
  );
}

/** Throws `video_too_long` or `video_too_complex`, naming the bound. */
export function checkSource(probe: MediaProbe, { maxSeconds, maxPixels }: SourceBounds): void {
  const lengths = [probe, ...probe.video, ...probe.audio].map(({ durationSeconds }) => durationSeconds ?? 0);
  const longest = Math.max(...lengths);
  if (longest > maxSeconds) {
    throw new Problem(
      'video_too_long',
      `The video lasts ${Math.round(longest)} s; at most ${maxSeconds} s are taken. Cut it before you send it.`,
    );
  }
  const complex = (what: string): Problem =>
    new Problem('video_too_complex', `${what} Send a simpler version of it.`);
  if (probe.streams > MAX_STREAMS) {
    throw complex(`The file has ${probe.streams} streams; at most ${MAX_STREAMS} are taken.`);
  }
  for (const stream of probe.video) {
    const { attachedPicture, width, height, fps } = stream;
    if (width * height > maxPixels) {
      throw complex(
        `A frame has ${width} × ${height} = ${width * height} pixels; at most ${maxPixels} are taken.`,
      );
    }
    // As wide pixels make it: that many are scaled, laid over and encoded.
    const shown = shownSize(stream);
    if (shown.width * shown.height > maxPixels || Math.max(shown.width, shown.height) > MAX_SIDE) {
      throw complex(
        `A frame of ${width} × ${height} is shown as ${shown.width} × ${shown.height} = ${shown.width * shown.height} pixels; at most ${maxPixels} are taken, and ${MAX_SIDE} on a side.`,
      );
    }
    if (!attachedPicture && (fps ?? 0) > MAX_FPS) {
      throw complex(`The video has ${Math.round(fps ?? 0)} frames per second; at most ${MAX_FPS} are taken.`);
    }
  }
  for (const { channels } of probe.audio) {
    if (channels > MAX_CHANNELS) {
      throw complex(`The sound has ${channels} channels; at most ${MAX_CHANNELS} are taken.`);
    }
  }
}
