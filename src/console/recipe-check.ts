// What is wrong with a recipe, as far as its schemas say: told while it is typed, before anything is sent.

import { workOf } from './fitting.ts';
import { OUTPUT_NAME } from './operations.ts';
import type { Recipe } from './operations.ts';
import { nameOf } from './place.ts';
import type { Place } from './place.ts';
import { suits, variantsOf } from './schema.ts';
import type { Schema } from './schema.ts';

export interface Fault {
  /** As the server names it: `outputs.small.width`. */
  readonly place: string;
  readonly message: string;
  /** It was not given yet: nobody did anything wrong. */
  readonly isMissing: boolean;
}

export const NAME_RULE =
  'A name has small letters, digits, - and _, begins with a letter or digit, and is there once.';

/** `schemas`: of each type of output. What they do not know is left to the server. */
export function checkRecipe({ outputs }: Recipe, schemas: ReadonlyMap<string, Schema>): readonly Fault[] {
  const faults: Fault[] = [];
  const tell = (place: Place, message: string, isMissing = false): void => {
    faults.push({ place: nameOf(place), message, isMissing });
  };
  const entries = Object.entries(outputs);
  if (entries.length === 0) tell(['outputs'], 'add at least one output', true);
  else if (workOf({ outputs }) === 'mixed')
    tell(['outputs'], 'outputs of an image and outputs of a video need a recipe each');
  for (const [name, output] of entries) {
    if (!OUTPUT_NAME.test(name)) tell(['outputs', name], NAME_RULE);
    const schema = schemas.get(output?.type);
    if (schema !== undefined) check(output, schema, ['outputs', name], tell);
  }
  return faults;
}

type Tell = (place: Place, message: string, isMissing?: boolean) => void;

function check(value: unknown, schema: Schema, place: Place, tell: Tell): void {
  if (schema.anyOf !== undefined) {
    const tries = variantsOf(schema)
      .filter((each) => suits(each, value))
      .map((each) => {
        const found: Parameters<Tell>[] = [];
        check(value, each, place, (...fault) => found.push(fault));
        return found;
      });
    if (tries.every((found) => found.length > 0)) for (const fault of tries[0] ?? []) tell(...fault);
  } else if (schema.oneOf !== undefined) {
    const chosen = schema.oneOf.find((each) => isNamed(value, each));
    if (chosen !== undefined) check(value, chosen, place, tell);
  } else if (Array.isArray(value)) checkList(value, schema, place, tell);
  else if (typeof value === 'object' && value !== null)
    checkFields(value as Readonly<Record<string, unknown>>, schema, place, tell);
  else if (typeof value === 'number') checkNumber(value, schema, place, tell);
  else if (typeof value === 'string') checkText(value, schema, place, tell);
}

/** By its constants: `type` of an output, `op` of a step. */
const isNamed = (value: unknown, { properties = {} }: Schema): boolean =>
  Object.entries(properties).every(
    ([name, field]) =>
      field.const === undefined || (value as Record<string, unknown> | null)?.[name] === field.const,
  );

function checkFields(
  value: Readonly<Record<string, unknown>>,
  { properties = {}, required = [] }: Schema,
  place: Place,
  tell: Tell,
): void {
  for (const [name, field] of Object.entries(properties)) {
    const given = value[name];
    if (given !== undefined && given !== '') check(given, field, [...place, name], tell);
    else if (required.includes(name)) tell([...place, name], 'is needed', true);
  }
}

function checkList(value: readonly unknown[], schema: Schema, place: Place, tell: Tell): void {
  const { minItems = 0, maxItems = Infinity, items } = schema;
  if (value.length < minItems) tell(place, `needs at least ${minItems}`, value.length === 0);
  if (value.length > maxItems) tell(place, `may have at most ${maxItems}`);
  if (items !== undefined) value.forEach((each, index) => check(each, items, [...place, index], tell));
}

function checkNumber(value: number, schema: Schema, place: Place, tell: Tell): void {
  const { minimum = -Infinity, maximum = Infinity, type } = schema;
  if (value < minimum) tell(place, `must be at least ${minimum}`);
  else if (value > maximum) tell(place, `must be at most ${maximum}`);
  else if (type === 'integer' && !Number.isInteger(value)) tell(place, 'must be a whole number');
}

function checkText(value: string, { maxLength = Infinity, pattern }: Schema, place: Place, tell: Tell): void {
  if (value.length > maxLength) tell(place, `may have at most ${maxLength} characters`);
  else if (pattern !== undefined && !matches(value, pattern)) tell(place, 'is not written as it must be');
}

/** What cannot be judged here is left to the server. */
function matches(value: string, pattern: string): boolean {
  try {
    return new RegExp(pattern, 'u').test(value);
  } catch {
    return true;
  }
}
