// Fields of video parameters. What passes is a number or a word from a list: text of a client never gets further.

import { z } from 'zod';
import { looseNumber } from '../../lib/loose-scalar.ts';

export const number = (min: number, max: number) => looseNumber(z.number().min(min).max(max));

export const integer = (min: number, max: number) => looseNumber(z.int().min(min).max(max));

/** Seconds of a source: a week is more than any source may have. */
export const MAX_SECONDS = 604_800;

/** Pixels of a side. */
export const MIN_SIDE = 16;
export const MAX_SIDE = 8192;
/** Pixels of a rendition: 8K. */
export const MAX_PIXELS = 33_177_600;

export const FITS = ['inside', 'cover', 'contain'] as const;
export type Fit = (typeof FITS)[number];

/** The box that a picture is fitted into. */
export const box = {
  width: integer(MIN_SIDE, MAX_SIDE)
    .optional()
    .describe(
      'Width of the box in pixels, 16–8192. The picture is never enlarged; without a box it keeps its size',
    ),
  height: integer(MIN_SIDE, MAX_SIDE)
    .optional()
    .describe('Height of the box in pixels, 16–8192. With one side given, the other follows'),
  fit: z
    .enum(FITS)
    .default('inside')
    .describe(
      'How to fit the box: `inside` keeps all of the picture, `cover` fills the box and cuts off what stands out, `contain` adds black bars. The last two need both sides',
    ),
};

export interface Box {
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  readonly fit: Fit;
}

/** Checks that go across the fields of a box. */
export function checkBox({ width, height, fit }: Box, context: z.core.$RefinementCtx): void {
  if (fit !== 'inside' && (width === undefined || height === undefined)) {
    context.addIssue({
      code: 'custom',
      path: ['fit'],
      message: `\`${fit}\` needs both width and height`,
    });
  }
  if ((width ?? 0) * (height ?? 0) > MAX_PIXELS) {
    context.addIssue({
      code: 'custom',
      path: ['width'],
      message: `width × height is at most ${MAX_PIXELS} pixels; ${width} × ${height} is more`,
    });
  }
}
