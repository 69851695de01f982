// The steps of an image as an ordered list: added, moved, taken out, each with its own fields.

import { html, nothing } from 'lit-html';
import type { TemplateResult } from 'lit-html';
import type { FormContext } from './form-context.ts';
import { move, nameOf } from './place.ts';
import type { Place } from './place.ts';
import type { Schema } from './schema.ts';

type Step = Readonly<Record<string, unknown>>;

/** `draw`: the fields of one step. */
export function stepList(
  schema: Schema,
  steps: readonly Step[],
  place: Place,
  context: FormContext,
  draw: (schema: Schema, value: Step, place: Place, context: FormContext) => TemplateResult,
): TemplateResult {
  const kinds = new Map(
    (schema.items?.oneOf ?? []).map((each) => [String(each.properties?.['op']?.const), each]),
  );
  const set = (next: readonly Step[]): void => context.change(place, next.length === 0 ? undefined : next);
  const full = steps.length >= (schema.maxItems ?? Infinity);
  return html`
    ${
      steps.length === 0
        ? nothing
        : html`<ol class="steps">
          ${steps.map((step, index) => {
            const op = String(step['op']);
            const kind = kinds.get(op);
            const problem = context.problems.get(nameOf([...place, index]));
            return html`<li>
              <div class="bar">
                <b>${op}</b><span class="hint">${context.summaryOf(op)}</span>
                <span class="buttons">
                  <button type="button" class="quiet" aria-label="Move ${op} up" ?disabled=${index === 0}
                    @click=${() => set(move(steps, index, index - 1))}>↑</button>
                  <button type="button" class="quiet" aria-label="Move ${op} down" ?disabled=${index === steps.length - 1}
                    @click=${() => set(move(steps, index, index + 1))}>↓</button>
                  <button type="button" class="quiet" aria-label="Take ${op} out" @click=${() => set(steps.toSpliced(index, 1))}>✕</button>
                </span>
              </div>
              ${problem === undefined ? nothing : html`<p class="wrong">${problem}</p>`}
              ${kind === undefined ? html`<p class="wrong">Not known here: edit it as JSON.</p>` : draw(kind, step, [...place, index], context)}
            </li>`;
          })}
        </ol>`
    }
    <select class="add" aria-label="Add a step" ?disabled=${full}
      @change=${(event: Event) => {
        const select = event.target as HTMLSelectElement;
        const op = select.value;
        select.value = '';
        if (op !== '') set([...steps, { op, ...context.beginning(op, kinds.get(op) ?? {}) }]);
      }}>
      <option value="">+ Add a step …</option>
      ${[...kinds.keys()].map((op) => html`<option value=${op}>${op} – ${context.summaryOf(op)}</option>`)}
    </select>
  `;
}
