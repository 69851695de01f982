// Sizes: how a stream is shown, and what size it gets in a box. Even numbers, square pixels, never enlarged.

import type { VideoStream } from '../media-probe.ts';
import type { Size } from '../video-operation.ts';
import type { Box } from './fields.ts';

/** Pixels this close to square are: 1281:1280 is an encoder's rounding, not a wish. */
const SQUARE_TOLERANCE = 0.01;

export function hasSquarePixels({ pixelAspect }: Pick<VideoStream, 'pixelAspect'>): boolean {
  return Math.abs(pixelAspect - 1) <= SQUARE_TOLERANCE;
}

export function isSideways({ rotation }: Pick<VideoStream, 'rotation'>): boolean {
  return Math.abs((rotation % 180) - 90) <= 1;
}

/** As it is after a quarter turn. */
export function swapped({ width, height }: Size): Size {
  return { width: height, height: width };
}

/** The size as people see it: pixels made square, then turned. */
export function shownSize(video: VideoStream): Size {
  const width = hasSquarePixels(video)
    ? video.width
    : Math.max(1, Math.round(video.width * video.pixelAspect));
  return isSideways(video) ? { width: video.height, height: width } : { width, height: video.height };
}

/** What becomes of a picture in a box: all of it is scaled to `scaled`, then cut or padded to `final`. */
export interface Fitted {
  readonly scaled: Size;
  readonly final: Size;
}

/**
 * Fits a shown size into a box. All sides are even (4:2:0 colour needs it); nothing is enlarged, so `final` may be
 * smaller than the box.
 */
export function fitInto(shown: Size, { width, height, fit }: Box): Fitted {
  const limit = { width: width ?? shown.width, height: height ?? shown.height };
  const across = limit.width / shown.width;
  const down = limit.height / shown.height;
  if (width === undefined || height === undefined || fit === 'inside') {
    const scaled = scale(shown, Math.min(1, across, down), limit);
    return { scaled, final: scaled };
  }
  if (fit === 'contain') {
    // A bar of no picture is no enlargement: the box keeps its size.
    return {
      scaled: scale(shown, Math.min(1, across, down), limit),
      final: { width: even(width), height: even(height) },
    };
  }
  const factor = Math.max(across, down);
  const scaled = scale(shown, Math.min(1, factor), shown);
  // A box that is too large shrinks, keeping its shape.
  const shrink = Math.max(1, factor);
  return {
    scaled,
    final: {
      width: Math.min(even(width / shrink), scaled.width),
      height: Math.min(even(height / shrink), scaled.height),
    },
  };
}

/** Down, so that a limit is never exceeded. 2 is the least that 4:2:0 can hold. */
function even(side: number): number {
  return Math.max(2, Math.floor((side + 1e-6) / 2) * 2);
}

/** To the nearest even number, or the picture's shape drifts; but within the limit and never larger than before. */
function scale(size: Size, factor: number, limit: Size): Size {
  const side = (length: number, most: number): number =>
    Math.max(2, Math.min(Math.round((length * factor) / 2) * 2, even(Math.min(length, most))));
  return { width: side(size.width, limit.width), height: side(size.height, limit.height) };
}
