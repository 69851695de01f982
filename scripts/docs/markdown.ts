// Small pieces of Markdown that the pages share.

export const GENERATED = '<!-- Written by `npm run docs`; change the code instead. -->\n';

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', String.raw`\|`).replaceAll('\n', ' ')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly pattern?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
}

/** A table of an object schema's fields: name, what is allowed, default, meaning. */
export function fieldsTable(schema: JsonSchema): string {
  return table(['field', 'allowed', 'default', 'meaning'], fieldRows(schema, ''));
}

/** Fields of a field that is an object come right after it. */
function fieldRows(schema: JsonSchema, within: string): string[][] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => [
    [
      `\`${within}${name}\``,
      allowed(field),
      field.default === undefined
        ? schema.required?.includes(name) === true
          ? 'needed'
          : '–'
        : `\`${JSON.stringify(field.default)}\``,
      field.description ?? '',
    ],
    ...fieldRows(field, `${within}${name}.`),
  ]);
}

function allowed(schema: JsonSchema): string {
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  if (schema.enum) return schema.enum.map((value) => `\`${String(value)}\``).join(' ');
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return [...new Set(choices.map(allowed))].join(' or ');
  const low = schema.minimum ?? schema.exclusiveMinimum;
  if (low !== undefined && schema.maximum !== undefined) return `${low}–${schema.maximum}`;
  return [schema.type].flat().join(' or ') || 'any';
}
