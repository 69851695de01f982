// Text becomes a number or a boolean only if it is written as one.

import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { looseBoolean, looseNumber } from '../../src/lib/loose-scalar.ts';

describe('looseNumber', () => {
  const schema = looseNumber(z.number().min(-10).max(10));

  it.each([
    [5, 5],
    ['5', 5],
    ['-5.25', -5.25],
    ['0', 0],
    ['007', 7],
  ])('%j is %j', (value, number) => {
    expect(schema.parse(value)).toBe(number);
  });

  it.each([
    '',
    ' ',
    ' 5',
    '5 ',
    '+5',
    '1e1',
    '0x5',
    '5.',
    '.5',
    '--5',
    'NaN',
    'Infinity',
    '11',
    11,
    null,
    undefined,
    true,
    [],
    [5],
    {},
    NaN,
  ])('not %j', (value) => {
    expect(schema.safeParse(value).success).toBe(false);
  });

  it('may be left out, and has the JSON Schema of the number', () => {
    const object = z.strictObject({ a: schema.optional(), b: schema });
    expect(object.parse({ b: '3' })).toEqual({ b: 3 });
    expect(z.toJSONSchema(object, { io: 'input' })).toMatchObject({
      properties: { b: { type: 'number', minimum: -10, maximum: 10 } },
      required: ['b'],
    });
  });
});

describe('looseBoolean', () => {
  it.each([
    [true, true],
    [false, false],
    ['true', true],
    ['false', false],
  ])('%j is %j', (value, boolean) => {
    expect(looseBoolean(false).parse(value)).toBe(boolean);
  });

  it.each(['', 'abc', '1', '0', 'TRUE', 'yes', 1, 0, null, undefined, []])('not %j', (value) => {
    expect(looseBoolean(false).safeParse(value).success).toBe(false);
  });

  it('tells its default', () => {
    expect(z.toJSONSchema(looseBoolean(true), { io: 'input' })).toMatchObject({
      type: 'boolean',
      default: true,
    });
  });
});
