// The table of image operations, and the schemas that follow from it.

import { z } from 'zod';
import { Problem } from '../problems.ts';
import { blur } from './image/blur.ts';
import { clahe } from './image/clahe.ts';
import { composite } from './image/composite.ts';
import { crop } from './image/crop.ts';
import { duotone } from './image/duotone.ts';
import { extend } from './image/extend.ts';
import { flatten } from './image/flatten.ts';
import { flip } from './image/flip.ts';
import { flop } from './image/flop.ts';
import { gamma } from './image/gamma.ts';
import { grayscale } from './image/grayscale.ts';
import { median } from './image/median.ts';
import { modulate } from './image/modulate.ts';
import { negate } from './image/negate.ts';
import { normalise } from './image/normalise.ts';
import { pixelate } from './image/pixelate.ts';
import { resize } from './image/resize.ts';
import { rotate } from './image/rotate.ts';
import { round } from './image/round.ts';
import { sharpen } from './image/sharpen.ts';
import { text } from './image/text.ts';
import { threshold } from './image/threshold.ts';
import { tint } from './image/tint.ts';
import { trim } from './image/trim.ts';
import { contradictions, encodingFields } from './encoding.ts';
import type { ImageOperation } from './image-operation.ts';

/**
 * Adding an operation: its file in `image/`, and one line here. In a URL they run in this order: `crop` is of the
 * source; then come turning and scaling, so that all that follows has fewer pixels to go over and its own numbers are
 * pixels of what comes out; then colours, filters, room around, and last what is put on top.
 */
export const imageOperations = {
  crop,
  trim,
  rotate,
  flip,
  flop,
  resize,
  median,
  normalise,
  clahe,
  gamma,
  modulate,
  grayscale,
  tint,
  duotone,
  negate,
  threshold,
  blur,
  sharpen,
  pixelate,
  extend,
  round,
  composite,
  text,
  flatten,
} as const;

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

const fields = z.strictObject({
  type: z.literal('image').describe('A still or animated picture'),
  steps: z
    .array(step)
    .max(20)
    .default([])
    .describe('What is done to the picture, in this order. It is always turned upright before'),
  ...encodingFields,
});

/** One picture to make, and how it is written. */
export const imageOutputSchema = fields.superRefine((output, context) => {
  for (const { field, message } of contradictions(output)) {
    context.addIssue({ code: 'custom', path: [field], message });
  }
});
export type ImageOutput = z.output<typeof imageOutputSchema>;

type Shapes = { [Name in OperationName]: Table[Name]['query'] }[OperationName];

/** `POST /v1/images?…`: the short forms of all operations, and the encoding. All values may be text. */
export const imageQuerySchema = z.strictObject({
  ...(Object.assign({}, ...operations.map(({ query }) => query)) as Shapes),
  ...encodingFields,
});
export type ImageQuery = z.output<typeof imageQuerySchema>;

/** Throws Problem `invalid_request`, naming the parameters, where they make no sense together. */
export function imageOutputFromQuery(query: ImageQuery): ImageOutput {
  const steps = operations.flatMap((operation) => {
    const params = operation.fromQuery(query);
    return params === undefined ? [] : [{ op: operation.name, ...params }];
  });
  const encoding = Object.fromEntries(
    Object.entries(query).filter(([name]) => Object.hasOwn(encodingFields, name)),
  );
  const parsed = imageOutputSchema.safeParse({ type: 'image', steps, ...encoding });
  if (parsed.success) return parsed.data;
  const errors = parsed.error.issues.map(({ path, message }) => ({
    field: path.slice(-1).join(''),
    message,
  }));
  const detail = errors.map(({ field, message }) => `${field}: ${message}`).join('; ');
  throw new Problem('invalid_request', `${detail}.`, { errors });
}
