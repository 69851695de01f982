// A JSON document of an output, fetched once and shown as a table that people read.

import { html, nothing } from 'lit-html';
import type { TemplateResult } from 'lit-html';
import type { App } from '../app.ts';
import { plain, spaced } from '../words.ts';

const documents = new WeakMap<App, Map<string, unknown>>();

export function documentTable(app: App, url: string): TemplateResult {
  const known = documents.get(app) ?? new Map<string, unknown>();
  documents.set(app, known);
  if (!known.has(url)) {
    known.set(url, undefined);
    app.api
      .get(url)
      .then((document) => {
        known.set(url, document);
        app.redraw();
      })
      .catch(() => known.delete(url));
  }
  const document = known.get(url);
  return document === undefined
    ? html`<p class="hint">Reading it …</p>`
    : html`<div class="document">${rows(document)}</div>`;
}

function rows(value: unknown): TemplateResult {
  if (Array.isArray(value)) {
    if (value.every((each) => typeof each !== 'object')) return html`${value.join(', ')}`;
    return html`${value.map((each, index) => html`<div class="entry"><span class="badge">${index + 1}</span>${rows(each)}</div>`)}`;
  }
  if (typeof value !== 'object' || value === null) return html`${value === null ? '–' : plain(value)}`;
  const entries = Object.entries(value).filter(
    ([, each]) => each !== null && !(Array.isArray(each) && each.length === 0),
  );
  return html`<table><tbody>${entries.map(
    ([name, each]) =>
      html`<tr><th scope="row">${spaced(name)}</th><td>${each === undefined ? nothing : rows(each)}</td></tr>`,
  )}</tbody></table>`;
}
