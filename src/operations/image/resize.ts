// resize: fits an image into a box. The most used operation, and the only one with shrink-on-load.

import { z } from 'zod';
import type { ImageOperation, Size } from '../image-operation.ts';

const side = z.coerce.number().int().min(1).max(16_383);

const shape = {
  width: side.optional().describe('Width of the box in pixels'),
  height: side.optional().describe('Height of the box in pixels'),
  fit: z
    .enum(['cover', 'contain', 'fill', 'inside', 'outside'])
    .default('inside')
    .describe('How to fit the box'),
};

const params = z.strictObject(shape);

export const resize: ImageOperation<typeof params> = {
  name: 'resize',
  summary: 'Fits the image into a box.',
  params,
  query: shape,
  fromQuery: (query) =>
    query.width === undefined && query.height === undefined
      ? undefined
      : { width: query.width as number, height: query.height as number, fit: query.fit as 'inside' },
  examples: [],
  apply: (image, { width, height, fit }) =>
    image.resize({ ...(width && { width }), ...(height && { height }), fit, withoutEnlargement: true }),
  size: (_params, size): Size => size,
};
