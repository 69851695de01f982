// crop: cuts out a rectangle.

import { z } from 'zod';
import { looseNumber } from '../../lib/loose-scalar.ts';
import { Problem } from '../../problems.ts';
import { PLACE } from '../image-operation.ts';
import type { ImageOperation } from '../image-operation.ts';

const offset = looseNumber(z.number().int().min(0).max(65_534));
const side = looseNumber(z.number().int().min(1).max(65_535));

const params = z.strictObject({
  left: offset.describe('Distance of the rectangle from the left edge in pixels'),
  top: offset.describe('Distance of the rectangle from the top edge in pixels'),
  width: side.describe('Width of the rectangle in pixels'),
  height: side.describe('Height of the rectangle in pixels'),
});

export const crop: ImageOperation<typeof params> = {
  name: 'crop',
  summary: 'Cuts out a rectangle.',
  params,
  query: {
    crop: z
      .string()
      .max(23)
      .regex(
        /^\d{1,5},\d{1,5},[1-9]\d{0,4},[1-9]\d{0,4}$/,
        'write left,top,width,height in whole pixels, e.g. crop=100,50,640,480',
      )
      .describe('Cuts out a rectangle: left,top,width,height in pixels')
      .optional(),
  },
  fromQuery({ crop }) {
    if (typeof crop !== 'string') return undefined;
    const [left, top, width, height] = crop.split(',').map(Number);
    return { left, top, width, height } as z.input<typeof params>;
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
  ],
  apply(image, params, size) {
    if (size !== undefined) this.size(params, size);
    const { left, top, width, height } = params;
    return image.extract({ left, top, width, height });
  },
  size({ left, top, width, height }, size) {
    if (left + width > size.width || top + height > size.height) {
      throw new Problem(
        'crop_outside',
        `The crop reaches to ${left + width} × ${top + height}, but the image is ${size.width} × ${size.height} pixels at that step. Choose left + width and top + height within it.`,
      );
    }
    return { width, height };
  },
  place: () => [PLACE.crop, PLACE.crop],
};
