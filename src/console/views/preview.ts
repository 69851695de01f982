// What an image recipe makes of a picture, before any job: the image route with the options of the form.

import { html, nothing } from 'lit-html';
import type { TemplateResult } from 'lit-html';
import { messageOf } from '../api.ts';
import type { App } from '../app.ts';
import { imageQuery } from '../image-query.ts';
import type { Recipe } from '../operations.ts';
import { bytes } from '../words.ts';
import { savingBadge } from './status.ts';

export interface Preview {
  /** Called whenever the recipe or the picture may be another. Asks the server a moment after the last call. */
  update(recipe: Recipe, file: File | undefined): void;
  render(): TemplateResult | typeof nothing;
  close(): void;
}

/** So long nothing must change before the server is asked, in milliseconds. */
const REST_MS = 350;

interface Shown {
  readonly name: string;
  readonly url: string;
  readonly bytes: number;
  readonly size: string;
  readonly decisions: readonly string[];
}

export function createPreview(app: App): Preview {
  let asked = '';
  let picture: File | undefined;
  let original: string | undefined;
  let shown: Shown | undefined;
  let note = '';
  let isBusy = false;
  let running: AbortController | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  async function ask(name: string, query: URLSearchParams, file: File): Promise<void> {
    running?.abort();
    running = new AbortController();
    const { signal } = running;
    isBusy = true;
    app.redraw();
    try {
      const answer = await app.api.fetch(`/v1/images?${query}`, {
        ...{ method: 'POST', body: file, signal },
        headers: { 'content-type': 'application/octet-stream' },
      });
      const blob = await answer.blob();
      if (signal.aborted) return;
      if (shown !== undefined) URL.revokeObjectURL(shown.url);
      const decisions = answer.headers.get('mediamill-decisions') ?? '';
      shown = {
        ...{ name, url: URL.createObjectURL(blob), bytes: blob.size },
        size: (answer.headers.get('mediamill-size') ?? '').replace('x', ' × '),
        decisions:
          decisions === ''
            ? []
            : decisions
                .split(', ')
                .map(decodeURI)
                .map((each) => each.replaceAll('%2C', ',')),
      };
      note = blob.type === 'image/tiff' ? 'Browsers do not show TIFF; its size is real.' : '';
    } catch (error) {
      if (signal.aborted) return;
      note = messageOf(error);
    }
    isBusy = false;
    app.redraw();
  }

  return {
    update(recipe, file) {
      const image = Object.entries(recipe.outputs).find(([, { type }]) => type === 'image');
      const query = image && imageQuery(image[1]);
      if (file !== picture) {
        if (original !== undefined) URL.revokeObjectURL(original);
        original = file && URL.createObjectURL(file);
        picture = file;
        asked = '';
        shown = undefined;
      }
      const wanted = file === undefined || image === undefined ? '' : `${image[0]}?${query ?? 'job'}`;
      if (asked === wanted) return;
      asked = wanted;
      clearTimeout(timer);
      running?.abort();
      isBusy = false;
      note = '';
      if (image === undefined || file === undefined) shown = undefined;
      else if (query === undefined) {
        shown = undefined;
        note = 'Steps in this order, or with these options, are made by a job only: no preview.';
      } else timer = setTimeout(() => void ask(image[0], query, file), REST_MS);
    },
    render() {
      if (picture === undefined || (shown === undefined && note === '' && !isBusy)) return nothing;
      return html`<section class="panel" aria-label="Preview" aria-busy=${isBusy}>
        <div class="bar"><h2>Preview${shown === undefined ? '' : html` <small>of ${shown.name}</small>`}</h2>
          ${isBusy ? html`<span class="hint">making it …</span>` : nothing}</div>
        ${
          shown === undefined
            ? nothing
            : html`<image-slider before=${original ?? ''} after=${shown.url}
                before-label="source, ${bytes(picture.size)}" after-label="${shown.name}, ${bytes(shown.bytes)}"></image-slider>
              <p class="facts"><b>${shown.size}</b> <span>${bytes(shown.bytes)}</span>
                ${savingBadge(shown.bytes, picture.size)}</p>
              ${shown.decisions.length === 0 ? nothing : html`<ul class="decisions">${shown.decisions.map((each) => html`<li>${each}</li>`)}</ul>`}`
        }
        ${note === '' ? nothing : html`<p class="hint" role="status">${note}</p>`}
      </section>`;
    },
    close() {
      clearTimeout(timer);
      running?.abort();
      if (shown !== undefined) URL.revokeObjectURL(shown.url);
      if (original !== undefined) URL.revokeObjectURL(original);
    },
  };
}
