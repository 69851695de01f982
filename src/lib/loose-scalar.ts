// Numbers and booleans that may come out of a URL as text. Only text that looks like one becomes one.

import { z } from 'zod';

/**
 * A number, or its decimal digits as text. Unlike `z.coerce.number()`, which makes 0 of "" and null, 1 of true and
 * 16 of "0x10". Its JSON Schema is that of the number.
 */
export function looseNumber(schema: z.ZodType<number>): z.ZodType<number, number | `${number}`> {
  const read = (value: unknown) =>
    typeof value === 'string' && /^-?\d{1,15}(?:\.\d{1,15})?$/.test(value) ? Number(value) : value;
  return z.preprocess(read, schema) as unknown as z.ZodType<number, number | `${number}`>;
}

/**
 * A boolean, or the text `true` or `false`. `unset`, what its absence means, is only written into its JSON Schema
 * (zod drops the default of whatever it preprocesses): the caller applies it.
 */
export function looseBoolean(unset: boolean): z.ZodType<boolean, boolean | 'true' | 'false'> {
  const read = (value: unknown) => (value === 'true' ? true : value === 'false' ? false : value);
  const schema = z.boolean('must be true or false').meta({ default: unset });
  return z.preprocess(read, schema) as unknown as z.ZodType<boolean, boolean | 'true' | 'false'>;
}
