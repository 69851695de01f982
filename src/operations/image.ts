// The table of image operations, and the schemas that follow from it.

import { z } from 'zod';
import { resize } from './image/resize.ts';

/** Adding an operation: its file in `image/`, and one line here. In a URL they run in this order. */
export const imageOperations = { resize } as const;

export const IMAGE_FORMATS = ['jpeg', 'png', 'webp', 'avif', 'gif'] as const;
export type ImageFormat = (typeof IMAGE_FORMATS)[number];

const step = z.discriminatedUnion('op', [
  imageOperations.resize.params.extend({ op: z.literal('resize') }).strict(),
]);
export type ImageStep = z.output<typeof step>;

export const imageOutputSchema = z.strictObject({
  type: z.literal('image'),
  steps: z.array(step).max(20).default([]),
  format: z.enum(IMAGE_FORMATS).optional(),
  quality: z.coerce.number().int().min(1).max(100).optional(),
});
export type ImageOutput = z.output<typeof imageOutputSchema>;

/** `POST /v1/images?…`: the short forms of all operations, and the encoding. */
export const imageQuerySchema = z.strictObject({
  ...resize.query,
  format: imageOutputSchema.shape.format,
  quality: imageOutputSchema.shape.quality,
});
export type ImageQuery = z.output<typeof imageQuerySchema>;

export function imageOutputFromQuery(query: ImageQuery): ImageOutput {
  const params = resize.fromQuery(query);
  return imageOutputSchema.parse({
    type: 'image',
    steps: params === undefined ? [] : [{ op: 'resize', ...params }],
    format: query.format,
    quality: query.quality,
  });
}
