// The table of image operations, and the schemas that follow from it.

import { z } from 'zod';
import { looseNumber } from '../lib/loose-scalar.ts';
import { Problem } from '../problems.ts';
import { crop } from './image/crop.ts';
import { flip } from './image/flip.ts';
import { flop } from './image/flop.ts';
import { resize } from './image/resize.ts';
import { rotate } from './image/rotate.ts';
import { IMAGE_FORMATS } from './image-format.ts';
import type { ImageOperation } from './image-operation.ts';

export { IMAGE_FORMATS };

/**
 * Adding an operation: its file in `image/`, and one line here. In a URL they run in this order: `crop` is of the
 * source, `width` and `height` are those of what comes out.
 */
export const imageOperations = { crop, rotate, flip, flop, resize } as const;

type Table = typeof imageOperations;
type OperationName = keyof Table;

/** Zod reads an object without fields as one whose every field is `never`, `op` too. */
type Fields<T> = string extends keyof T ? unknown : T;

/** One operation with its parameters; `op` says which. */
export type ImageStep = {
  [Name in OperationName]: { readonly op: Name } & Fields<z.output<Table[Name]['params']>>;
}[OperationName];
type ImageStepInput = {
  [Name in OperationName]: { readonly op: Name } & Fields<z.input<Table[Name]['params']>>;
}[OperationName];

const operations: readonly ImageOperation[] = Object.values(imageOperations);

const step = z.discriminatedUnion(
  'op',
  operations.map(({ name, summary, params }) =>
    params.safeExtend({ op: z.literal(name).describe(summary) }),
  ) as unknown as [z.ZodObject<{ op: z.ZodLiteral<string> }>],
) as unknown as z.ZodType<ImageStep, ImageStepInput>;

export const imageOutputSchema = z.strictObject({
  type: z.literal('image').describe('A still or animated picture'),
  steps: z
    .array(step)
    .max(20)
    .default([])
    .describe('What is done to the picture, in this order. It is always turned upright before'),
  format: z
    .enum(IMAGE_FORMATS)
    .optional()
    .describe(
      'File format. Without it: that of the source, or for a TIFF jpeg, and png where it has transparency',
    ),
  quality: looseNumber(z.number().int().min(1).max(100))
    .optional()
    .describe(
      '1 (small) to 100 (good). Without it 80, for avif 50. A png below 100 gets a palette of at most 256 colours; gif takes no quality',
    ),
});
export type ImageOutput = z.output<typeof imageOutputSchema>;

type Shapes = { [Name in OperationName]: Table[Name]['query'] }[OperationName];

/** `POST /v1/images?…`: the short forms of all operations, and the encoding. All values may be text. */
export const imageQuerySchema = z.strictObject({
  ...(Object.assign({}, ...operations.map(({ query }) => query)) as Shapes),
  format: imageOutputSchema.shape.format,
  quality: imageOutputSchema.shape.quality,
});
export type ImageQuery = z.output<typeof imageQuerySchema>;

/** Throws Problem `invalid_request`, naming the parameters, where they make no sense together. */
export function imageOutputFromQuery(query: ImageQuery): ImageOutput {
  const { format, quality } = query;
  const steps = operations.flatMap((operation) => {
    const params = operation.fromQuery(query);
    return params === undefined ? [] : [{ op: operation.name, ...params }];
  });
  const parsed = imageOutputSchema.safeParse({ type: 'image', steps, format, quality });
  if (parsed.success) return parsed.data;
  const errors = parsed.error.issues.map(({ path, message }) => ({
    field: path.slice(-1).join(''),
    message,
  }));
  const detail = errors.map(({ field, message }) => `${field}: ${message}`).join('; ');
  throw new Problem('invalid_request', `${detail}.`, { errors });
}
