// What is said of a job beside its recipe: how urgent it is, and who is told of its end.

import { html } from 'lit-html';
import type { TemplateResult } from 'lit-html';
import type { App } from '../app.ts';
import type { Extras } from '../orders.ts';

export interface OrderOptions {
  extras(): Extras;
  render(problems: ReadonlyMap<string, string>): TemplateResult;
}

export function createOrderOptions(app: App): OrderOptions {
  let extras: Extras = {};
  const set = (change: Extras): void => {
    // What is empty is not sent.
    extras = Object.fromEntries(
      Object.entries({ ...extras, ...change }).filter(([, value]) => value !== undefined),
    );
    app.redraw();
  };
  const field = (event: Event): string | undefined =>
    (event.target as HTMLInputElement).value.trim() || undefined;
  return {
    extras: () => extras,
    render: (
      problems,
    ) => html`<details class="more" ?open=${problems.has('webhook') || problems.has('priority')}>
      <summary>Priority and webhook</summary>
      <div class="fields">
        <div class="field"><label for="priority">Priority</label>
          <input type="number" id="priority" min="-100" max="100" step="1" placeholder="0" aria-describedby="priority-hint priority-wrong"
            @change=${(event: Event) => {
              const text = field(event);
              set({ priority: text === undefined ? undefined : Number(text) });
            }} />
          <p class="hint" id="priority-hint">−100 to 100: higher goes first</p>
          <p class="wrong" id="priority-wrong">${problems.get('priority') ?? ''}</p></div>
        <div class="field"><label for="webhook">Webhook</label>
          <input type="url" id="webhook" placeholder="https://…" autocomplete="off" aria-describedby="webhook-hint webhook-wrong"
            @change=${(event: Event) => set({ webhook: field(event) })} />
          <p class="hint" id="webhook-hint">Is told when the job has ended</p>
          <p class="wrong" id="webhook-wrong">${problems.get('webhook') ?? ''}</p></div>
      </div>
    </details>`,
  };
}
