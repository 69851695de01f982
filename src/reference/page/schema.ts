// Schemas as HTML: a list of fields, each with its type, its bounds and what it means.

import { code, html, prose, raw } from './markup.ts';
import type { Markup } from './markup.ts';

export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly format?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly additionalProperties?: boolean | Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly contentSchema?: Schema;
}

const MAX_DEPTH = 6;

/** `integer, 1 to 16383`, `string or null`, a link for what has a name. */
export function typeOf(schema: Schema): Markup {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.split('/').at(-1) ?? '';
    return html`<a href="#schema-${name}">${name}</a>`;
  }
  if (schema.const !== undefined) return code(JSON.stringify(schema.const));
  if (schema.enum !== undefined)
    return joined(
      schema.enum.map((value) => code(String(value))),
      ' ',
    );
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) {
    const named = choices.map(variantName).filter((name) => name !== undefined);
    return named.length === choices.length
      ? joined(
          named.map((name) => code(name)),
          ' ',
        )
      : joined(choices.map(typeOf), ' or ');
  }
  if (schema.type === 'array')
    return html`list of ${schema.items === undefined ? 'anything' : typeOf(schema.items)}${bounds(schema.minItems, schema.maxItems)}`;
  const names = [schema.type ?? 'anything'].flat().join(' or ');
  const unit = schema.format === undefined || schema.format === 'int53' ? '' : ` (${schema.format})`;
  return html`${names}${unit}${bounds(safe(schema.minimum), safe(schema.maximum))}${bounds(schema.minLength, schema.maxLength, ' characters')}`;
}

/** The bounds of JavaScript's integers are no bounds of ours. */
const safe = (bound: number | undefined): number | undefined =>
  bound === undefined || Math.abs(bound) >= Number.MAX_SAFE_INTEGER ? undefined : bound;

function bounds(least: number | undefined, most: number | undefined, unit = ''): string {
  if (most === undefined) return least === undefined || least === 0 ? '' : `, from ${least}${unit}`;
  return least === undefined ? `, at most ${most}${unit}` : `, ${least} to ${most}${unit}`;
}

/** The fields of an object, those of what it holds folded away. */
export function fieldsOf(schema: Schema, depth = 0): Markup {
  const inside = inner(schema);
  if (inside === undefined || depth > MAX_DEPTH) return raw('');
  const choices = inside.anyOf ?? inside.oneOf ?? inside.allOf;
  if (choices !== undefined && inside.properties === undefined) {
    return html`<div class="choices">${choices
      .filter((choice) => inner(choice) !== undefined)
      .map(
        (choice, index) =>
          html`<details><summary>${variantName(choice) ?? `Form ${index + 1}`}${choice.description === undefined ? '' : html` <span>${prose(choice.description, true)}</span>`}</summary>${fieldsOf(choice, depth + 1)}</details>`,
      )}</div>`;
  }
  const rows = Object.entries(inside.properties ?? {}).map(([name, field]) =>
    fieldRow({ name, schema: field, required: inside.required?.includes(name) === true }, depth),
  );
  const others = typeof inside.additionalProperties === 'object' ? inside.additionalProperties : undefined;
  if (others !== undefined && Object.keys(others).length > 0)
    rows.push(fieldRow({ name: '(any name)', schema: others, required: false }, depth));
  return html`<dl class="fields">${rows}</dl>`;
}

export interface Field {
  readonly name: string;
  readonly schema: Schema;
  readonly required: boolean;
  readonly description?: string | undefined;
}

export function fieldRow(
  { name, schema, required, description = schema.description }: Field,
  depth = 0,
): Markup {
  const within = inner(schema);
  return html`<dt>${code(name)} <span class="type">${typeOf(schema)}</span>${required ? html` <em>required</em>` : ''}${schema.default === undefined ? '' : html` <span class="type">default ${code(JSON.stringify(schema.default))}</span>`}</dt>
<dd>${description === undefined ? '' : prose(description)}${within === undefined ? '' : html`<details><summary>Fields</summary>${fieldsOf(within, depth + 1)}</details>`}</dd>`;
}

/** What has fields in a schema, if anything; what has a name of its own is described there. */
function inner(schema: Schema): Schema | undefined {
  if (schema.$ref !== undefined) return undefined;
  if (schema.properties !== undefined) return schema;
  if (typeof schema.additionalProperties === 'object' && inner(schema.additionalProperties) !== undefined)
    return schema;
  if (schema.items !== undefined) return inner(schema.items);
  const choices = schema.anyOf ?? schema.oneOf ?? schema.allOf ?? [];
  return choices.some((choice) => inner(choice) !== undefined) ? schema : undefined;
}

/** Of a choice that says by one field which it is: the value of that. */
function variantName({ properties }: Schema): string | undefined {
  const [mark] = Object.values(properties ?? {}).filter((each) => each.const !== undefined);
  return mark === undefined ? undefined : String(mark.const);
}

function joined(parts: readonly Markup[], between: string): Markup {
  return html`${parts.flatMap((part, index) => (index === 0 ? [part] : [between, part]))}`;
}
