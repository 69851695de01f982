// What is to be made: a preset, a recipe from forms, or the same recipe as JSON.

import { html, nothing } from 'lit-html';
import type { TemplateResult } from 'lit-html';
import { live } from 'lit-html/directives/live.js';
import { repeat } from 'lit-html/directives/repeat.js';
import type { App } from '../app.ts';
import type { ApiProblem } from '../api.ts';
import { freeName, IMAGE_TYPES, OUTPUT_NAME, outputSchemas } from '../operations.ts';
import type { Operations, Output, Recipe } from '../operations.ts';
import type { Wish } from '../orders.ts';
import type { FormContext } from '../form-context.ts';
import { nameOf, problemsByPlace, put, spoken } from '../place.ts';
import type { Place } from '../place.ts';
import { checkRecipe, NAME_RULE } from '../recipe-check.ts';
import type { Fault } from '../recipe-check.ts';
import { recipeJson } from '../recipe-code.ts';
import { beginningOf } from '../schema.ts';
import { objectFields } from '../schema-form.ts';
import { STARTERS } from '../starters.ts';
import { spaced } from '../words.ts';

export interface RecipeEditor {
  /** Undefined while the JSON cannot be read. */
  wish(): Wish | undefined;
  recipe(): Recipe;
  /** What must be mended before it can be made, each with its place in words. */
  faults(): readonly (Fault & { readonly where: string })[];
  /** What was found wrong, by place. */
  problems(): ReadonlyMap<string, string>;
  /** A file of this kind was added: a recipe that nobody chose gives way to one that fits. */
  suggest(kind: 'image' | 'video'): void;
  /** Shows what the server found wrong, each at its field. */
  blame(problem: ApiProblem): void;
  render(): TemplateResult;
}

const DRAFT = 'mediamill.recipe';

/** `onChange`: the recipe is another. */
export function createRecipeEditor(app: App, operations: Operations, onChange: () => void): RecipeEditor {
  const schemas = outputSchemas(operations);
  const presets = Object.entries(operations.presets);
  let preset: string | undefined;
  let recipe: Recipe = remembered() ?? STARTERS[0]?.recipe ?? { outputs: {} };
  let shown: 'form' | 'json' = 'form';
  /** What is typed, while it cannot be read. */
  let typed: string | undefined;
  let fault: string | undefined;
  /** What the server found, until something is changed. */
  let problems: ReadonlyMap<string, string> = new Map();
  /** Names as they were typed, of outputs that cannot be called so. */
  const misnamed = new Map<string, string>();
  const unfolded = new Set<string>();
  let typing: FormContext['typed'];

  let isChosen = sessionStorage.getItem(DRAFT) !== null;
  const changeTo = (next: Recipe): void => {
    isChosen = true;
    recipe = next;
    preset = fault = typed = typing = undefined;
    for (const name of misnamed.keys()) if (!(name in next.outputs)) misnamed.delete(name);
    problems = new Map();
    sessionStorage.setItem(DRAFT, JSON.stringify(next));
    onChange();
    app.redraw();
  };
  const summaries = new Map(
    [...operations.image, ...operations.video].map(({ name, summary }) => [name, summary]),
  );
  const context: FormContext = {
    get problems() {
      const wrong = faults().filter(({ isMissing }) => !isMissing);
      return new Map([...wrong.map(({ place, message }) => [place, message] as const), ...problems]);
    },
    unfolded,
    get typed() {
      return typing;
    },
    change(place, value, text) {
      changeTo(put(recipe, place, value) as Recipe);
      if (text !== undefined) typing = { place: nameOf(place), text };
    },
    beginning: (operation, schema) => beginningOf(schema, exampleOf(operations, operation)),
    exampleAt: (place) => exampleAt(operations, recipe, place),
    summaryOf: (operation) => summaries.get(operation) ?? '',
  };
  const outputs = (): readonly (readonly [string, Output])[] => Object.entries(recipe.outputs);

  function add(type: string): void {
    const schema = schemas.get(type);
    if (schema === undefined) return;
    const name = freeName(type, Object.keys(recipe.outputs));
    const output: Output = { ...beginningOf(schema, exampleOf(operations, type)), type };
    changeTo({ outputs: { ...recipe.outputs, [name]: output } });
  }
  /** Marks what an output cannot be called, and keeps it. */
  function checkName(from: string, text: string): boolean {
    const to = text.trim();
    const isFree = OUTPUT_NAME.test(to) && (to === from || !(to in recipe.outputs));
    if (isFree) misnamed.delete(from);
    else misnamed.set(from, text);
    return isFree;
  }
  function typeName(from: string, text: string): void {
    typing = { place: `outputs.${from}`, text };
    checkName(from, text);
    app.redraw();
  }
  function rename(from: string, text: string): void {
    const to = text.trim();
    const isFree = checkName(from, text);
    typing = undefined;
    if (!isFree || to === from) {
      onChange();
      app.redraw();
      return;
    }
    changeTo({
      outputs: Object.fromEntries(outputs().map(([name, output]) => [name === from ? to : name, output])),
    });
  }
  function read(text: string): void {
    try {
      const parsed = JSON.parse(text) as Recipe;
      if (typeof parsed?.outputs !== 'object' || parsed.outputs === null)
        throw new Error('it needs "outputs"');
      changeTo(parsed);
      // As it was typed, until it is left: to write it anew would move the cursor.
      typed = text;
    } catch (error) {
      typed = text;
      fault = `This is no recipe yet: ${(error as Error).message}`;
      app.redraw();
    }
  }

  function faults(): readonly Fault[] {
    if (preset !== undefined) return [];
    const names = [...misnamed.keys()].map((name) => ({ place: `outputs.${name}`, message: NAME_RULE }));
    return [
      ...names.map((each) => ({ ...each, isMissing: false })),
      ...checkRecipe(recipe, schemas).filter(({ place }) => !misnamed.has(place.slice('outputs.'.length))),
    ];
  }

  const start = (): TemplateResult => html`
    <div class="starters" role="group" aria-label="Begin with">
      ${presets.map(
        ([name, each]) => html`<button type="button" class="card" aria-pressed=${preset === name}
          @click=${() => {
            preset = preset === name ? undefined : name;
            onChange();
            app.redraw();
          }}><b>${name}</b><span>Preset: ${Object.keys(each.outputs).join(', ')}</span></button>`,
      )}
      ${STARTERS.map(
        ({ name, about, recipe: each }) => html`<button type="button" class="card"
          aria-pressed=${preset === undefined && JSON.stringify(each) === JSON.stringify(recipe)}
          @click=${() => {
            misnamed.clear();
            unfolded.clear();
            changeTo(each);
          }}><b>${name}</b><span>${about}</span></button>`,
      )}
    </div>`;

  const form = (): TemplateResult => html`
    ${repeat(
      outputs(),
      ([name]) => name,
      ([name, output]) => {
        const schema = schemas.get(output.type);
        const own = context.problems.get(`outputs.${name}`) ?? context.problems.get(`outputs.${name}.type`);
        const isMisnamed = misnamed.has(name) || !OUTPUT_NAME.test(name);
        return html`<section class="output" aria-label="Output ${name}">
          <div class="bar">
            <input class="name" aria-label="Name of the output" .value=${live(typing?.place === `outputs.${name}` ? typing.text : (misnamed.get(name) ?? name))}
              aria-invalid=${isMisnamed} aria-describedby="name-${name}-wrong"
              @input=${(event: Event) => typeName(name, (event.target as HTMLInputElement).value)}
              @change=${(event: Event) => rename(name, (event.target as HTMLInputElement).value)} />
            <span class="badge">${spaced(output.type)}</span>
            <button type="button" class="quiet" aria-label="Remove the output ${name}"
              @click=${() => changeTo(put(recipe, ['outputs', name], undefined) as Recipe)}>✕</button>
          </div>
          <p class="hint">${schema?.properties?.['type']?.description === 'Names the operation' ? context.summaryOf(output.type) : schema?.properties?.['type']?.description}</p>
          ${own === undefined ? nothing : html`<p class="wrong" id="name-${name}-wrong" role="alert">${own}</p>`}
          ${
            schema === undefined
              ? html`<p class="wrong">The server knows no output of this type.</p>`
              : objectFields(schema, output, ['outputs', name], context)
          }
        </section>`;
      },
    )}
    <select class="add" aria-label="Add an output"
      @change=${(event: Event) => {
        const select = event.target as HTMLSelectElement;
        add(select.value);
        select.value = '';
      }}>
      <option value="">+ Add an output …</option>
      ${(['image', 'video'] as const).map(
        (kind) => html`<optgroup label=${kind === 'image' ? 'Of an image' : 'Of a video or a sound'}>
          ${[...schemas.keys()]
            .filter((type) => IMAGE_TYPES.has(type) === (kind === 'image'))
            .map((type) => html`<option value=${type}>${spaced(type)}</option>`)}
        </optgroup>`,
      )}
    </select>`;

  const json = (): TemplateResult => html`<label class="sr" for="recipe-json">The recipe as JSON</label>
    <textarea id="recipe-json" class="code" rows="18" spellcheck="false" aria-describedby="recipe-fault"
      .value=${live(typed ?? recipeJson(recipe))}
      @input=${(event: Event) => read((event.target as HTMLTextAreaElement).value)}
      @change=${() => {
        if (fault === undefined) typed = undefined;
        app.redraw();
      }}></textarea>
    <p class="wrong" id="recipe-fault">${fault ?? ''}</p>
    <ul class="wrong">${[...context.problems].map(([place, message]) => html`<li>${spoken(place, recipe)}: ${message}</li>`)}</ul>`;

  const tab = (which: typeof shown, text: string): TemplateResult => html`<button type="button" role="tab"
    aria-selected=${shown === which} id="tab-${which}" aria-controls="recipe-panel"
    @click=${() => {
      shown = which;
      app.redraw();
    }}>${text}</button>`;

  return {
    recipe: () => (preset === undefined ? recipe : (operations.presets[preset] ?? recipe)),
    wish: () => (fault === undefined ? (preset === undefined ? { recipe } : { preset }) : undefined),
    faults: () => faults().map((each) => ({ ...each, where: spoken(each.place, recipe) })),
    problems: () => problems,
    suggest(kind) {
      const isOfImage = Object.values(recipe.outputs).every(({ type }) => IMAGE_TYPES.has(type));
      if (preset !== undefined || isChosen || isOfImage === (kind === 'image')) return;
      const fitting = STARTERS.find((each) => each.of === kind);
      if (fitting !== undefined) changeTo(fitting.recipe);
      isChosen = false;
    },
    blame(problem) {
      problems = problemsByPlace(problem.errors);
      for (const place of problems.keys()) unfolded.add(place);
      app.redraw();
    },
    render: () => html`
      ${start()}
      ${
        preset === undefined
          ? html`<div class="tabs" role="tablist" aria-label="How the recipe is edited">${tab('form', 'Form')}${tab('json', 'JSON')}</div>
            <div id="recipe-panel" role="tabpanel" aria-labelledby="tab-${shown}">${shown === 'form' ? form() : json()}</div>`
          : html`<div class="copyable"><pre tabindex="0" aria-label="The preset’s recipe">${recipeJson(operations.presets[preset] ?? recipe)}</pre></div>`
      }`,
  };
}

function remembered(): Recipe | undefined {
  const text = sessionStorage.getItem(DRAFT);
  return text === null ? undefined : (JSON.parse(text) as Recipe);
}

/** The first example of the reference, which works. */
function exampleOf(operations: Operations, name: string): Record<string, unknown> {
  const found = [...operations.image, ...operations.video].find((each) => each.name === name);
  const [first] = found?.examples ?? [];
  return { ...first?.params };
}

/** What could stand at a place: of the reference, or of the recipes to begin with. */
function exampleAt(operations: Operations, { outputs }: Recipe, place: Place): unknown {
  const [, name = '', steps, index] = place;
  const output = outputs[name];
  if (output === undefined) return undefined;
  const field = String(place.at(-1));
  if (steps === 'steps' && typeof index === 'number') {
    const step = (output['steps'] as readonly { op?: unknown }[] | undefined)?.[index];
    return exampleOf(operations, String(step?.op))[field];
  }
  const known = STARTERS.flatMap(({ recipe }) => Object.values(recipe.outputs));
  return exampleOf(operations, output.type)[field] ?? known.find(({ type }) => type === output.type)?.[field];
}
