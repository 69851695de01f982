// How much work outputs are, told before it begins.

import type { OutputPart } from '../video-operation.ts';

/** Pixels per second of 1080p at 30 frames. */
const UNIT = 1920 * 1080 * 30;
/** Frames per second where the source does not say. */
const GUESSED_FPS = 30;

/** The pictures that are encoded, in seconds of 1080p30 video. Copies, stills and sound count for nothing. */
export function workSeconds(
  parts: Readonly<Record<string, OutputPart>>,
  source: { readonly fps: number | null; readonly durationSeconds: number | null },
): number {
  let pixels = 0;
  for (const { expects, streams } of Object.values(parts).flatMap((part) => part.pieces)) {
    const seconds = expects.durationSeconds ?? source.durationSeconds ?? 0;
    for (const stream of streams) {
      if (stream.kind !== 'frames' || stream.take.from === 'moment' || expects.video === null) continue;
      const fps = (stream.take.from === 'picture' ? stream.take.fps : null) ?? source.fps ?? GUESSED_FPS;
      pixels += expects.video.size.width * expects.video.size.height * fps * seconds;
    }
  }
  return pixels / UNIT;
}
