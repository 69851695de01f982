// What a signed address asks for: the output, made of options or a preset, and the source.

import { z } from 'zod';
import type { Presets } from '../jobs/presets.ts';
import { normalReference, sourceMark } from '../lib/cache-key.ts';
import { describeFields, fieldErrors } from '../lib/field-errors.ts';
import type { ImageAddress } from '../lib/signed-url.ts';
import { imageOutputFromQuery, imageQuerySchema } from '../operations/image.ts';
import type { ImageOutput } from '../operations/image.ts';
import { isNegotiated } from '../operations/negotiation.ts';
import { Problem } from '../problems.ts';

export interface ImageWish {
  /** As the SourceReader takes it; a URL in its one normal form. */
  readonly reference: string;
  /** Of the key that signed it: whose sources it may name. */
  readonly tenant: string;
  /** The mark in the cache, of reference and tenant. */
  readonly source: string;
  readonly output: ImageOutput;
  /** The answer depends on `Accept`. */
  readonly negotiated: boolean;
  /** Seconds since 1970. */
  readonly expires: number | undefined;
}

export interface WishRules {
  readonly presets: Presets;
  /** Nothing but presets is allowed. */
  readonly presetsOnly: boolean;
}

/** The options that say nothing about the picture. */
const controls = z.strictObject({
  expires: z
    .string()
    .regex(/^\d{1,11}$/, 'must be seconds since 1970')
    .transform(Number)
    .optional(),
  preset: z.string().min(1).max(64).optional(),
  output: z.string().min(1).max(64).optional(),
});

/** Throws Problem `invalid_request` or `preset_unknown`. */
export function readWish({ options, source }: ImageAddress, tenant: string, rules: WishRules): ImageWish {
  const isControl = (name: string): boolean => Object.hasOwn(controls.shape, name);
  const entries = [...options];
  const { expires, preset, output } = parse(
    controls,
    entries.filter(([name]) => isControl(name)),
  );
  const others = entries.filter(([name]) => !isControl(name));
  const reference = normalReference(source);
  const wanted =
    preset === undefined
      ? fromOptions(others, output, rules)
      : fromPreset({ preset, output }, others, rules.presets);
  return {
    reference,
    tenant,
    source: sourceMark(reference, tenant),
    output: wanted,
    negotiated: isNegotiated(wanted),
    expires,
  };
}

function fromOptions(
  entries: readonly (readonly [string, string])[],
  output: string | undefined,
  { presetsOnly, presets }: WishRules,
): ImageOutput {
  if (presetsOnly) {
    throw new Problem(
      'invalid_request',
      `This server makes images by presets only: preset=name. It has: ${[...presets.keys()].join(', ') || 'none'}.`,
    );
  }
  if (output !== undefined)
    throw new Problem('invalid_request', 'output: names an output of a preset, and there is no preset.');
  return imageOutputFromQuery(parse(imageQuerySchema, entries));
}

function fromPreset(
  { preset, output }: { readonly preset: string; readonly output: string | undefined },
  others: readonly (readonly [string, string])[],
  presets: Presets,
): ImageOutput {
  if (others.length > 0) {
    const names = others.map(([name]) => name.slice(0, 64)).join(', ');
    throw new Problem(
      'invalid_request',
      `A preset takes no options beside it; these are too many: ${names}.`,
    );
  }
  const recipe = presets.get(preset);
  if (recipe === undefined) {
    const known = [...presets.keys()].join(', ') || 'none';
    throw new Problem('preset_unknown', `There is no preset ${JSON.stringify(preset)}. There is: ${known}.`);
  }
  const images = Object.entries(recipe.outputs).flatMap(([name, each]) =>
    each.type === 'image' ? [[name, each] as const] : [],
  );
  const [first] = images;
  const found = output === undefined ? first : images.find(([name]) => name === output);
  if (found !== undefined && (output !== undefined || images.length === 1)) return found[1];
  const names = images.map(([name]) => name).join(', ') || 'none';
  throw new Problem(
    'invalid_request',
    `Say which image of the preset is wanted, by output=name. The preset ${JSON.stringify(preset)} has: ${names}.`,
  );
}

function parse<T extends z.ZodType>(schema: T, entries: readonly (readonly [string, string])[]): z.output<T> {
  const parsed = schema.safeParse(Object.fromEntries(entries));
  if (parsed.success) return parsed.data;
  const errors = fieldErrors(parsed.error.issues, 'options');
  throw new Problem('invalid_request', `${describeFields(errors)}.`, { errors });
}
