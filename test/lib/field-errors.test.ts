import { expect, it } from 'vitest';
import { z } from 'zod';
import { describeFields, fieldErrors } from '../../src/lib/field-errors.ts';

const schema = z.strictObject({
  width: z.int().min(1).max(99).optional(),
  name: z.string().min(2).regex(/^a/, 'begins with a').optional(),
  fit: z.enum(['cover', 'fill']).optional(),
  steps: z
    .array(
      z.discriminatedUnion('op', [z.object({ op: z.literal('flip') }), z.object({ op: z.literal('flop') })]),
    )
    .max(1)
    .optional(),
  slots: z.union([z.literal('auto'), z.int().min(1)]).optional(),
  either: z.union([z.object({ a: z.string() }), z.object({ b: z.string() })]).optional(),
  outputs: z.record(z.string().regex(/^[a-z]+$/, 'a name is small letters'), z.string()).optional(),
});

it.each([
  [{ width: 'x' }, 'width: must be a number'],
  [{ width: Number.NaN }, 'width: must be a number'],
  [{ width: 1.5 }, 'width: must be a whole number'],
  [{ width: 0 }, 'width: must be at least 1'],
  [{ width: 100 }, 'width: must be at most 99'],
  [{ name: 'a' }, 'name: must be at least 2 characters long'],
  [{ name: 'bc' }, 'name: begins with a'],
  [{ fit: 'stretch' }, 'fit: must be one of cover, fill'],
  [{ widht: 1 }, 'query: there is no "widht" here'],
  [{ steps: [{}] }, 'steps.0.op: op must be one of flip, flop'],
  [{ steps: [{ op: 'flip' }, { op: 'flip' }] }, 'steps: must be at most 1 entries long'],
  [{ outputs: { A: 'x' } }, 'outputs.A: a name is small letters'],
  [{ slots: 'x' }, 'slots: must be auto, or a number'],
  [{ slots: 0 }, 'slots: must be at least 1'],
  // What is wrong inside of one branch says nothing of the other.
  [{ either: { a: 1 } }, 'either: Invalid input'],
  [{ width: 0, fit: 1 }, 'width: must be at least 1; fit: must be one of cover, fill'],
])('%j', (value, detail) => {
  const { error } = schema.safeParse(value);
  expect(describeFields(fieldErrors(error?.issues ?? [], 'query'))).toBe(detail);
});
