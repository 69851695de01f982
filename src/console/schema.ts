// JSON Schema as the server writes it, and what a form asks of it.

export interface Schema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly description?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly oneOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
}

/** What a field is edited with. */
export type FieldKind =
  | 'choice'
  | 'flag'
  | 'number'
  | 'text'
  | 'colour'
  | 'choices'
  | 'list'
  | 'steps'
  | 'group'
  | 'variants';

export function kindOf(schema: Schema): FieldKind {
  if (schema.anyOf !== undefined) return 'variants';
  if (schema.enum !== undefined) return 'choice';
  switch (schema.type) {
    case 'boolean':
      return 'flag';
    case 'integer':
    case 'number':
      return 'number';
    case 'object':
      return 'group';
    case 'array':
      if (schema.items?.oneOf !== undefined) return 'steps';
      return schema.items?.enum === undefined ? 'list' : 'choices';
    default:
      return schema.pattern?.includes('transparent') === true ? 'colour' : 'text';
  }
}

/** All that may stand there, without nesting: alternatives of alternatives are alternatives. */
export function variantsOf(schema: Schema): readonly Schema[] {
  return (schema.anyOf ?? [schema]).flatMap((each) => (each.anyOf === undefined ? [each] : variantsOf(each)));
}

/** Whether a value may be meant for this schema: by its kind alone, since a form also holds what is not right yet. */
export function suits(schema: Schema, value: unknown): boolean {
  if (schema.const !== undefined) return schema.const === value;
  if (schema.enum !== undefined) return schema.enum.includes(value);
  if (schema.type === 'integer' || schema.type === 'number') return typeof value === 'number';
  if (schema.type === 'array') return Array.isArray(value);
  return typeof value === schema.type;
}

const UNITS: readonly (readonly [RegExp, string])[] = [
  [/kilobits per second/i, 'kbit/s'],
  [/frames per second/i, 'fps'],
  [/\bseconds\b/i, 's'],
  [/\bdegrees\b/i, '°'],
  [/\bpercent\b/i, '%'],
  [/\bpixels\b|\blines\b/i, 'px'],
  [/\bbytes\b|\bfile becomes no larger\b/i, 'B'],
];

/** The unit that a number's description names in its first words, or an empty string. */
export function unitOf({ description = '' }: Schema): string {
  const [first = ''] = description.split(/[.;]/);
  return UNITS.find(([pattern]) => pattern.test(first))?.[1] ?? '';
}

/** `1–100`, where both ends are given. */
export function boundsOf({ minimum, maximum }: Schema): string {
  if (minimum === undefined || maximum === undefined || maximum > 1e12) return '';
  return `${minimum}–${maximum}`;
}

const FREE: ReadonlySet<FieldKind> = new Set(['number', 'text', 'list']);

/** What must be given and only its maker can know: it begins empty. */
function mustBeGiven({ required = [], properties = {} }: Schema): readonly string[] {
  return required.filter((name) => {
    const field = properties[name] ?? {};
    return field.const === undefined && field.default === undefined && FREE.has(kindOf(field));
  });
}

/** What a new output or step begins with: the options of an example, without what must be given. */
export function beginningOf(
  schema: Schema,
  example: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const open = mustBeGiven(schema);
  const all = { ...(initialValue({ type: 'object', ...schema }) as object), ...example };
  return Object.fromEntries(Object.entries(all).filter(([name]) => !open.includes(name)));
}

/** The smallest value of its kind: what a field begins with once it is used. */
export function initialValue(schema: Schema): unknown {
  if (schema.const !== undefined) return schema.const;
  if (schema.default !== undefined) return schema.default;
  if (schema.enum !== undefined) return schema.enum[0];
  const [first] = schema.anyOf ?? schema.oneOf ?? [];
  if (first !== undefined) return initialValue(first);
  switch (schema.type) {
    case 'object':
      return Object.fromEntries(
        (schema.required ?? [])
          .filter((name) => !mustBeGiven(schema).includes(name))
          .map((name) => [name, initialValue(schema.properties?.[name] ?? {})]),
      );
    case 'array':
      return (schema.minItems ?? 0) > 0 ? [initialValue(schema.items ?? {})] : [];
    case 'boolean':
      return false;
    case 'integer':
    case 'number':
      return Math.min(schema.maximum ?? 0, Math.max(schema.minimum ?? 0, 0));
    default:
      return schema.pattern?.includes('transparent') === true ? 'white' : '';
  }
}
