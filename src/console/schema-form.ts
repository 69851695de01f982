// A form made from a schema: each field with its label, its bounds, what it means, and what the server found wrong with it.

import { html, nothing } from 'lit-html';
import type { TemplateResult } from 'lit-html';
import { live } from 'lit-html/directives/live.js';
import type { FormContext } from './form-context.ts';
import { nameOf } from './place.ts';
import type { Place } from './place.ts';
import { boundsOf, initialValue, kindOf, suits, unitOf, variantsOf } from './schema.ts';
import type { Schema } from './schema.ts';
import { stepList } from './step-list.ts';
import { plain, spaced } from './words.ts';

/** So many fields are open; the others are folded away until they are asked for. */
const OPEN_FIELDS = 5;

/** All fields of an object but its constants: those that must be, those in use, and the first few; the others behind a fold. */
export function objectFields(
  schema: Schema,
  value: Readonly<Record<string, unknown>>,
  place: Place,
  context: FormContext,
): TemplateResult {
  const all = Object.entries(schema.properties ?? {}).filter(([, field]) => field.const === undefined);
  const required = new Set(schema.required);
  const isOpen = ([name]: (typeof all)[number], index: number): boolean =>
    index < OPEN_FIELDS || required.has(name) || context.unfolded.has(nameOf([...place, name]));
  const open = all.filter(isOpen);
  const folded = all.filter((entry) => !open.includes(entry));
  const inUse = folded.filter(([name]) => value[name] !== undefined).length;
  const draw = ([name, field]: (typeof all)[number]): TemplateResult =>
    labelled(name, field, value[name], [...place, name], context, required.has(name));
  return html`
    <div class="fields">${open.map(draw)}</div>
    ${
      folded.length === 0
        ? nothing
        : html`<details class="more">
          <summary>${folded.length} more options${inUse > 0 ? `, ${inUse} in use` : ''}</summary>
          <div class="fields">${folded.map(draw)}</div>
        </details>`
    }
  `;
}

/** What stands between backticks is code. */
const prose = (text: string) =>
  text.split('`').map((part, index) => (index % 2 === 0 ? part : html`<code>${part}</code>`));

/** Its own, or that of one of its entries: a list is one field. */
function problemAt(place: Place, { problems }: FormContext): string | undefined {
  const name = nameOf(place);
  return problems.get(name) ?? [...problems].find(([each]) => isEntry(each, name))?.[1];
}
const isEntry = (place: string, list: string): boolean =>
  place.startsWith(`${list}.`) && /^\d+$/.test(place.slice(list.length + 1));

/** How what is typed becomes a value: at each stroke, as it is typed; once it is left, as the value is written. */
function typing(place: Place, context: FormContext, read: (text: string) => unknown) {
  const text = (event: Event): string => (event.target as HTMLInputElement).value;
  const { typed } = context;
  return {
    shown: (value: string) => live(typed?.place === nameOf(place) ? typed.text : value),
    type: (event: Event): void => context.change(place, read(text(event)), text(event)),
    leave: (event: Event): void => context.change(place, read(text(event))),
  };
}

const idOf = (place: Place): string => `f-${nameOf(place).replaceAll('.', '-')}`;

function labelled(
  name: string,
  schema: Schema,
  value: unknown,
  place: Place,
  context: FormContext,
  required: boolean,
): TemplateResult {
  const id = idOf(place);
  const kind = kindOf(schema);
  const problem = problemAt(place, context);
  const hint = schema.description ?? '';
  const about = html`
    ${
      hint === ''
        ? nothing
        : html`<p class="hint" id="${id}-hint" title=${hint}
            @click=${(event: Event) => (event.currentTarget as HTMLElement).classList.toggle('is-open')}>${prose(hint)}</p>`
    }
    ${problem === undefined ? nothing : html`<p class="wrong" id="${id}-wrong">${problem}</p>`}
  `;
  const title = `${spaced(name)}${required ? ' *' : ''}`;
  const field = control(schema, value, place, context, required);
  if (kind === 'steps' || kind === 'group' || kind === 'choices') {
    return html`<fieldset class="wide field" id=${id} aria-describedby="${id}-hint ${id}-wrong">
      <legend>${title}</legend>${about}${field}
    </fieldset>`;
  }
  return html`<div class="field ${problem === undefined ? '' : 'is-wrong'}">
    <label for=${id}>${title}</label>
    ${field}${about}
  </div>`;
}

/** The element that edits a value; `id` is that of the label before it. */
function control(
  schema: Schema,
  value: unknown,
  place: Place,
  context: FormContext,
  required: boolean,
): TemplateResult {
  const id = idOf(place);
  const described = `${id}-hint ${id}-wrong`;
  const wrong = problemAt(place, context) === undefined ? 'false' : 'true';
  const set = (next: unknown): void => context.change(place, next);
  const fallback = schema.default === undefined ? '' : plain(schema.default);
  const example = required ? context.exampleAt(place) : undefined;
  const suggested =
    example === undefined ? '' : `e.g. ${Array.isArray(example) ? example.join(', ') : plain(example)}`;
  const words = typing(place, context, (text) => text || undefined);
  switch (kindOf(schema)) {
    case 'choice':
      return html`<select
        id=${id} aria-describedby=${described} aria-invalid=${wrong}
        .value=${live(value === undefined ? '' : plain(value))}
        @change=${(event: Event) => {
          const chosen = (event.target as HTMLSelectElement).value;
          set(schema.enum?.find((each) => String(each) === chosen));
        }}>
        ${required ? nothing : html`<option value="">${fallback === '' ? 'default' : `${fallback} (default)`}</option>`}
        ${schema.enum?.map((each) => {
          const text = plain(each);
          return html`<option value=${text} ?selected=${each === value}>${text}</option>`;
        })}
      </select>`;
    case 'flag':
      return html`<input type="checkbox" id=${id} aria-describedby=${described}
        .checked=${live((value ?? schema.default ?? false) === true)}
        @change=${(event: Event) => {
          const { checked } = event.target as HTMLInputElement;
          set(checked === (schema.default ?? false) ? undefined : checked);
        }} />`;
    case 'number': {
      const number = typing(place, context, (text) => (text === '' ? undefined : Number(text)));
      return html`<span class="with-unit"><input
        type="number" id=${id} aria-describedby=${described} aria-invalid=${wrong}
        min=${schema.minimum ?? nothing} max=${schema.maximum ?? nothing}
        step=${schema.type === 'integer' ? '1' : 'any'} ?required=${required}
        placeholder=${fallback || suggested || boundsOf(schema)}
        .value=${number.shown(value === undefined ? '' : plain(value))}
        @input=${number.type} @change=${number.leave} /><span class="unit">${unitOf(schema)}</span></span>`;
    }
    case 'colour':
      return html`<span class="with-unit"><input
        type="text" id=${id} aria-describedby=${described} aria-invalid=${wrong} placeholder=${fallback} autocomplete="off" spellcheck="false"
        .value=${words.shown(plain(value ?? ''))} @input=${words.type} @change=${words.leave} />
        <input type="color" aria-label="${String(place.at(-1))}: pick"
          .value=${live(hexOf(value ?? fallback))}
          @change=${(event: Event) => set((event.target as HTMLInputElement).value.slice(1))} /></span>`;
    case 'choices':
      return choices(schema, (value ?? schema.default ?? []) as readonly unknown[], id, set);
    case 'list': {
      const list = typing(place, context, (text) => readList(schema, text));
      return html`<input type="text" id=${id} aria-describedby=${described} aria-invalid=${wrong}
        placeholder=${suggested || 'separated by commas'} autocomplete="off"
        .value=${list.shown(Array.isArray(value) ? value.join(', ') : '')}
        @input=${list.type} @change=${list.leave} />`;
    }
    case 'steps':
      return stepList(
        schema,
        (value ?? []) as readonly Record<string, unknown>[],
        place,
        context,
        objectFields,
      );
    case 'group':
      return group(schema, value as Record<string, unknown> | undefined, place, context);
    case 'variants':
      return variants(schema, value, place, context, required);
    default:
      return (schema.maxLength ?? 0) > 400 && schema.pattern?.startsWith('^(?:upload') !== true
        ? html`<textarea id=${id} rows="2" aria-describedby=${described} aria-invalid=${wrong} placeholder=${suggested}
          .value=${words.shown(plain(value ?? ''))} @input=${words.type} @change=${words.leave}></textarea>`
        : html`<input type="text" id=${id} aria-describedby=${described} aria-invalid=${wrong} placeholder=${fallback || suggested} autocomplete="off"
          .value=${words.shown(plain(value ?? ''))} @input=${words.type} @change=${words.leave} />`;
  }
}

/** What a browser's own picker takes: six digits and nothing else. */
function hexOf(value: unknown): string {
  const digits = /^#?([0-9a-f]{6})$/i.exec(plain(value))?.[1];
  return digits === undefined ? '#000000' : `#${digits.toLowerCase()}`;
}

function choices(
  { items }: Schema,
  value: readonly unknown[],
  id: string,
  set: (next: unknown) => void,
): TemplateResult {
  return html`<div class="choices">
    ${items?.enum?.map(
      (
        each,
      ) => html`<label><input type="checkbox" id="${id}-${plain(each)}" .checked=${live(value.includes(each))}
        @change=${(event: Event) =>
          set(
            (event.target as HTMLInputElement).checked
              ? [...value, each]
              : value.filter((one) => one !== each),
          )} />
        ${plain(each)}</label>`,
    )}
  </div>`;
}

/** Numbers where a number may stand; other words stay words. */
function readList({ items }: Schema, text: string): readonly unknown[] | undefined {
  const words = text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
  const takesNumbers = variantsOf(items ?? {}).some(({ type }) => type === 'integer' || type === 'number');
  const list = words.map((word) => (takesNumbers && /^-?\d+(?:\.\d+)?$/.test(word) ? Number(word) : word));
  return list.length === 0 ? undefined : list;
}

function group(
  schema: Schema,
  value: Record<string, unknown> | undefined,
  place: Place,
  context: FormContext,
): TemplateResult {
  const id = `${idOf(place)}-used`;
  return html`<label class="inline"><input type="checkbox" id=${id} .checked=${live(value !== undefined)}
      @change=${(event: Event) =>
        context.change(
          place,
          (event.target as HTMLInputElement).checked ? initialValue(schema) : undefined,
        )} /> Use it</label>
    ${value === undefined ? nothing : objectFields(schema, value, place, context)}`;
}

/** A choice between constants and kinds of values; a kind brings the field for its value. */
function variants(
  schema: Schema,
  value: unknown,
  place: Place,
  context: FormContext,
  required: boolean,
): TemplateResult {
  const options = variantsOf(schema).flatMap((each) =>
    each.enum === undefined ? [each] : each.enum.map((one): Schema => ({ const: one })),
  );
  const chosen = options.findIndex((option) => suits(option, value));
  const option = options[chosen];
  const id = idOf(place);
  const word = (each: Schema): string => {
    if (each.const !== undefined) return plain(each.const);
    if (each.type === 'array') return 'several …';
    if (each.type === 'string') return each.pattern?.includes('%') === true ? 'percentage …' : 'text …';
    return `number ${boundsOf(each)} …`;
  };
  const pick = (event: Event): void => {
    const next = options[Number((event.target as HTMLSelectElement).value)];
    context.change(place, next === undefined ? undefined : initialValue(next));
  };
  const fallback = schema.default === undefined ? '' : `${plain(schema.default)} `;
  return html`<span class="variant"><select id=${id} aria-describedby="${id}-hint ${id}-wrong" @change=${pick}>
      ${required ? nothing : html`<option value="" ?selected=${chosen < 0}>${fallback}${fallback === '' ? 'default' : '(default)'}</option>`}
      ${options.map((each, index) => html`<option value=${index} ?selected=${index === chosen}>${word(each)}</option>`)}
    </select>
    ${
      option === undefined || option.const !== undefined ? nothing : valueOnly(option, value, place, context)
    }</span>`;
}

function valueOnly(schema: Schema, value: unknown, place: Place, context: FormContext): TemplateResult {
  const name = String(place.at(-1));
  const isNumber = schema.type === 'integer' || schema.type === 'number';
  const read = (text: string): unknown => {
    if (schema.type === 'array') return readList(schema, text);
    return isNumber ? (text === '' ? undefined : Number(text)) : text;
  };
  // Emptied to type another: without any value the field itself would go.
  const kept = typing(place, context, (text) => read(text) ?? value);
  return html`<input
    type=${isNumber ? 'number' : 'text'} aria-label="${name}: value"
    min=${schema.minimum ?? nothing} max=${schema.maximum ?? nothing} step=${schema.type === 'integer' ? '1' : 'any'}
    .value=${kept.shown(Array.isArray(value) ? value.join(', ') : plain(value))}
    @input=${kept.type} @change=${typing(place, context, read).leave} />`;
}
