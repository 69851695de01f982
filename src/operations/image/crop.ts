// crop: cuts out a rectangle, in pixels or percent.

import { z } from 'zod';
import { looseNumber } from '../../lib/loose-scalar.ts';
import { Problem } from '../../problems.ts';
import { PLACE } from '../image-operation.ts';
import type { ImageOperation, Size } from '../image-operation.ts';

const offset = looseNumber(z.number().min(0).max(65_534));
const side = looseNumber(z.number().min(0.001).max(65_535));

const params = z
  .strictObject({
    left: offset.describe('Distance of the rectangle from the left edge'),
    top: offset.describe('Distance of the rectangle from the top edge'),
    width: side.describe('Width of the rectangle'),
    height: side.describe('Height of the rectangle'),
    unit: z
      .enum(['px', 'percent'])
      .default('px')
      .describe('What the four numbers are: whole pixels, or percent of the width and height of the picture'),
  })
  .superRefine((rectangle, context) => {
    for (const name of ['left', 'top', 'width', 'height'] as const) {
      if (rectangle.unit === 'px' && !Number.isInteger(rectangle[name])) {
        context.addIssue({
          code: 'custom',
          path: [name],
          message: 'must be whole pixels; or add unit percent',
        });
      }
    }
    for (const [from, length] of [
      ['left', 'width'],
      ['top', 'height'],
    ] as const) {
      if (rectangle.unit === 'percent' && rectangle[from] + rectangle[length] > 100) {
        context.addIssue({
          code: 'custom',
          path: [length],
          message: `${from} + ${length} is at most 100 percent`,
        });
      }
    }
  });
type Params = z.output<typeof params>;

const NUMBER = String.raw`\d{1,5}(?:\.\d{1,3})?[p%]`;
const SHORT = new RegExp(
  String.raw`^(?:\d{1,5},\d{1,5},[1-9]\d{0,4},[1-9]\d{0,4}|(?:${NUMBER},){3}${NUMBER})$`,
);

export const crop: ImageOperation<typeof params> = {
  name: 'crop',
  summary: 'Cuts out a rectangle.',
  params,
  query: {
    crop: z
      .string()
      .max(47)
      .regex(
        SHORT,
        'write left,top,width,height in whole pixels, e.g. crop=100,50,640,480, or all in percent, e.g. crop=10p,10p,80p,80p',
      )
      .describe('Cuts out a rectangle: left,top,width,height in pixels, or with a p after each in percent')
      .optional(),
  },
  fromQuery({ crop }) {
    if (typeof crop !== 'string') return undefined;
    const [left, top, width, height] = crop.split(',').map((text) => Number(text.replace(/[p%]$/, '')));
    const unit = /[p%]$/.test(crop) ? 'percent' : 'px';
    return { left, top, width, height, unit } as z.input<typeof params>;
  },
  examples: [
    {
      shows: 'a part from the middle',
      params: { left: 300, top: 200, width: 600, height: 400 },
      query: 'crop=300,200,600,400',
      gives: { width: 600, height: 400 },
    },
    {
      shows: 'the right half',
      params: { left: 600, top: 0, width: 600, height: 800 },
      query: 'crop=600,0,600,800',
      gives: { width: 600, height: 800 },
    },
    {
      shows: 'without the outer tenth',
      params: { left: 10, top: 10, width: 80, height: 80, unit: 'percent' },
      query: 'crop=10p,10p,80p,80p',
      gives: { width: 960, height: 640 },
    },
  ],
  apply(image, params, size) {
    if (size !== undefined) this.size(params, size);
    return image.extract(inPixels(params, size));
  },
  size(params, size) {
    const { left, top, width, height } = inPixels(params, size);
    if (left + width > size.width || top + height > size.height) {
      throw new Problem(
        'crop_outside',
        `The crop reaches to ${left + width} × ${top + height}, but the image is ${size.width} × ${size.height} pixels at that step. Choose left + width and top + height within it.`,
      );
    }
    return { width, height };
  },
  place: () => [PLACE.crop, PLACE.crop],
  needs: ({ unit }) => (unit === 'percent' ? 'size' : undefined),
};

/** Both edges are rounded, so that rectangles side by side stay so. At least one pixel. */
function inPixels(
  { left, top, width, height, unit }: Params,
  size: Size | undefined,
): Size & { left: number; top: number } {
  if (unit === 'px' || size === undefined) return { left, top, width, height };
  const along = (from: number, length: number, full: number): [number, number] => {
    const start = Math.min(full - 1, Math.round((from * full) / 100));
    return [start, Math.max(1, Math.min(full, Math.round(((from + length) * full) / 100)) - start)];
  };
  const [x, across] = along(left, width, size.width);
  const [y, down] = along(top, height, size.height);
  return { left: x, top: y, width: across, height: down };
}
