// The WebVTT map of a storyboard: which part of which sprite shows which seconds.

import type { Finish } from '../../operations/video/finish.ts';
import { filesOf, textFile } from './follower.ts';
import type { FinishContext, Follower } from './follower.ts';
import { broken } from '../verify.ts';

type Storyboard = Finish & { readonly type: 'storyboard' };

export function finishStoryboard(finish: Storyboard, context: FinishContext): Follower {
  return {
    async end(pieces) {
      const sprites = pieces.flatMap(filesOf);
      const text = storyboardMap(
        finish,
        sprites.map(({ file }) => file),
      );
      if (sprites.length === 0) throw broken('storyboard', 'it has no sprites', null);
      return {
        files: [await textFile(context, 'storyboard.vtt', 'text/vtt; charset=utf-8', text), ...sprites],
        ...(finish.durationSeconds !== null && { durationSeconds: finish.durationSeconds }),
      };
    },
  };
}

/** One cue for each picture. Players show the part of the image that `xywh` names (W3C Media Fragments, 4.2.2). */
export function storyboardMap(
  { everySeconds, columns, rows, tile, durationSeconds }: Omit<Storyboard, 'type'>,
  sprites: readonly string[],
): string {
  const cells = columns * rows;
  const there = sprites.length * cells;
  const known = durationSeconds === null ? there : Math.max(1, Math.ceil(durationSeconds / everySeconds));
  const count = Math.min(there, known);
  const cues = Array.from({ length: count }, (_, index) => {
    const cell = index % cells;
    const x = (cell % columns) * tile.width;
    const y = Math.floor(cell / columns) * tile.height;
    const start = index * everySeconds;
    // Where the source breaks off sooner than it says, the last picture stays.
    const end = index === count - 1 ? (durationSeconds ?? start + everySeconds) : start + everySeconds;
    const place = `${sprites[Math.floor(index / cells)]}#xywh=${x},${y},${tile.width},${tile.height}`;
    return `${timestamp(start)} --> ${timestamp(end)}\n${place}\n`;
  });
  return ['WEBVTT\n', ...cues].join('\n');
}

/** `00:01:02.500` (WebVTT, 4.1). */
function timestamp(seconds: number): string {
  const millis = Math.round(seconds * 1000);
  const two = (value: number): string => `${Math.floor(value)}`.padStart(2, '0');
  const rest = `${millis % 1000}`.padStart(3, '0');
  return `${two(millis / 3_600_000)}:${two((millis / 60_000) % 60)}:${two((millis / 1000) % 60)}.${rest}`;
}
