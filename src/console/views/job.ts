// The page of one job: how it is doing, what it made, what it told whom, and how to ask for the same.

import { html, nothing } from 'lit-html';
import type { TemplateResult } from 'lit-html';
import { repeat } from 'lit-html/directives/repeat.js';
import type { Job } from '../api.ts';
import { messageOf } from '../api.ts';
import type { App, View } from '../app.ts';
import { curlForJob, recipeJson } from '../recipe-code.ts';
import { ago, bytes, clock, size } from '../words.ts';
import { copyable } from './copyable.ts';
import { createDeliveries } from './deliveries.ts';
import { jobActions } from './job-actions.ts';
import { keyNote, outputCard } from './output-cards.ts';
import type { Comparison } from './output-cards.ts';
import { flow } from './output-flow.ts';
import { problemPanel, progressBar, progressLine, statusBadge } from './status.ts';

export function jobView(app: App, id: string): View {
  let fault: string | undefined;
  let source: Comparison | undefined;
  const deliveries = createDeliveries(app);
  const stop = app.jobs.onChange(() => {
    deliveries.update(app.jobs.get(id));
    app.redraw();
  });
  app.jobs.load(id).catch((error: unknown) => {
    fault = messageOf(error);
    app.redraw();
  });

  /** The file itself, where it was sent from this tab; else the largest image beside, if there are several. */
  function before(job: Job, name: string): Comparison | undefined {
    if (source !== undefined) return source;
    const file = app.transfers.sourceOf(id);
    if (file?.type.startsWith('image/') === true) {
      source = { url: URL.createObjectURL(file), label: `source, ${bytes(file.size)}` };
      return source;
    }
    const [largest] = job.outputs
      .filter(
        (each) =>
          each.type === 'image' && each.name !== name && each.url !== null && each.mediaType !== 'image/tiff',
      )
      .sort((a, b) => (b.bytes ?? 0) - (a.bytes ?? 0));
    return largest && { url: largest.url ?? '', label: `${largest.name}, ${bytes(largest.bytes)}` };
  }

  /** Where nothing else is there to compare with: whoever has the original shows it to the page. */
  const original = (job: Job): TemplateResult | typeof nothing => {
    const isAlone = job.outputs.some(
      (each) => each.type === 'image' && each.url !== null && before(job, each.name) === undefined,
    );
    if (!isAlone) return nothing;
    return html`<p class="hint"><label class="inline" for="original">Compare with the original:</label>
      <input type="file" id="original" accept="image/*" @change=${(event: Event) => {
        const file = (event.target as HTMLInputElement).files?.[0];
        if (file !== undefined)
          source = { url: URL.createObjectURL(file), label: `source, ${bytes(file.size)}` };
        app.redraw();
      }} /></p>`;
  };

  function head(job: Job): TemplateResult {
    const { source: from } = job;
    const facts = [
      from.mediaType ?? '',
      bytes(from.bytes),
      size(from.width, from.height),
      ...(from.durationSeconds === null ? [] : [clock(from.durationSeconds)]),
      `made ${ago(job.createdAt)}`,
      ...(job.attempt > 1 ? [`attempt ${job.attempt}`] : []),
      ...(job.expiresAt === null ? [] : [`kept until ${new Date(job.expiresAt).toLocaleString()}`]),
    ].filter((fact) => fact !== '');
    return html`
      <div class="bar"><h1 class="file">${from.name ?? 'Job'}</h1>${jobActions(app, job)}</div>
      <p class="facts">${facts.map((fact) => html`<span>${fact}</span>`)}</p>
      <div class="panel"><div class="bar"><span aria-live="polite">${statusBadge(job.status)}</span>
        <span class="hint">${progressLine(job)}</span></div>${progressBar(job)}</div>`;
  }

  function code(job: Job): TemplateResult {
    const { recipe } = job;
    const withKey = app.session()?.required === true;
    const address = new URL(job.links.self, location.href).href;
    return html`<details class="panel"><summary><h2>Code and links</h2></summary>
      ${copyable(app, 'Job', address)} ${keyNote(app)}
      ${copyable(
        app,
        'The same by curl',
        curlForJob({ recipe, file: job.source.name ?? 'file', origin: location.origin, withKey }),
      )}
      ${copyable(app, 'Recipe', recipeJson(recipe))}
    </details>`;
  }

  return {
    title: 'Job',
    render() {
      const job = app.jobs.get(id);
      if (job === undefined) {
        return html`<p class="panel empty" role="status">${fault ?? 'Looking for the job …'} <a href="#/jobs">All jobs</a></p>`;
      }
      return html`<p class="trail"><a href="#/jobs">← Jobs</a></p>
        ${head(job)}${problemPanel(job)}
        <div class="outputs">${flow(job.outputs).map(
          (column) =>
            html`<div class="column">${repeat(
              column,
              ({ name }) => name,
              (output) => outputCard(app, job, output, before(job, output.name)),
            )}</div>`,
        )}</div>
        ${original(job)}${deliveries.render()}${code(job)}`;
    },
    close() {
      stop();
      deliveries.close();
      if (source !== undefined) URL.revokeObjectURL(source.url);
    },
  };
}
