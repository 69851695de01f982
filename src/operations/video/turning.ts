// Turning and mirroring a picture, on top of the turn that the source tells.

import { z } from 'zod';
import { looseNumber } from '../../lib/loose-scalar.ts';
import type { VideoStream } from '../media-probe.ts';
import type { Size } from '../video-operation.ts';
import type { Box } from './fields.ts';
import { fitInto, shownSize, swapped } from './geometry.ts';
import type { Fitted } from './geometry.ts';

export const turnFields = {
  rotate: looseNumber(z.literal([90, 180, 270], 'must be 90, 180 or 270'))
    .optional()
    .describe(
      'Turns the picture clockwise by 90, 180 or 270 degrees, on top of the turn that the source tells',
    ),
  flip: z
    .enum(['horizontal', 'vertical'])
    .optional()
    .describe(
      'Mirrors the picture, after it was turned: `horizontal` swaps left and right, `vertical` top and bottom',
    ),
};

export type Turn = z.output<z.ZodObject<typeof turnFields>>;

/** A picture in a box that it is turned for: it is scaled first, when it has its own shape still. */
export interface TurnedFit {
  /** Before the turn. */
  readonly scaled: Size;
  /** After it. */
  readonly fitted: Fitted;
}

export function fitTurned(video: VideoStream, asked: Box & Turn): TurnedFit {
  const sideways = asked.rotate === 90 || asked.rotate === 270;
  const shown = shownSize(video);
  const fitted = fitInto(sideways ? swapped(shown) : shown, asked);
  return { fitted, scaled: sideways ? swapped(fitted.scaled) : fitted.scaled };
}

/** Filters. */
export function turning({ rotate, flip }: Turn): string[] {
  return [
    ...(rotate === 90 ? ['transpose=clock'] : []),
    ...(rotate === 180 ? ['hflip', 'vflip'] : []),
    ...(rotate === 270 ? ['transpose=cclock'] : []),
    ...(flip === 'horizontal' ? ['hflip'] : []),
    ...(flip === 'vertical' ? ['vflip'] : []),
  ];
}
