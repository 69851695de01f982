// The page "Jobs": all of them, newest first, as they change; by state, kind and name.

import { html, nothing } from 'lit-html';
import type { TemplateResult } from 'lit-html';
import { live } from 'lit-html/directives/live.js';
import { repeat } from 'lit-html/directives/repeat.js';
import type { Job } from '../api.ts';
import { messageOf } from '../api.ts';
import { readAddress, writeAddress } from '../address.ts';
import type { App, View } from '../app.ts';
import { IMAGE_TYPES } from '../operations.ts';
import { ago, bytes, counted, spaced } from '../words.ts';
import { jobActions } from './job-actions.ts';
import { progressBar, progressLine, savingBadge, statusBadge } from './status.ts';

type Status = Job['status'];
const STATUSES: readonly Status[] = ['queued', 'running', 'succeeded', 'failed', 'cancelled'];
const KINDS = ['image', 'video'] as const;
const TICK_MS = 20_000;

export const isOfImage = (job: Job): boolean => job.outputs.every(({ type }) => IMAGE_TYPES.has(type));

export function jobsView(app: App): View {
  const { query } = readAddress(location.hash);
  let status = STATUSES.find((each) => each === query.get('status'));
  let kind = KINDS.find((each) => each === query.get('kind'));
  let name = query.get('name') ?? '';
  let hasMore = true;
  let isLoading = false;
  let fault: string | undefined;
  const stop = app.jobs.onChange(() => {
    // Whoever could not be asked answers again.
    fault = undefined;
    app.redraw();
  });
  // "5 min ago" becomes 6.
  const ticker = setInterval(() => app.redraw(), TICK_MS);

  async function more(): Promise<void> {
    isLoading = true;
    fault = undefined;
    app.redraw();
    try {
      hasMore = await app.jobs.more(status);
    } catch (error) {
      fault = messageOf(error);
    }
    isLoading = false;
    app.redraw();
  }
  void more();

  /** A reload, and whoever gets the address, sees the same. */
  const keep = (): void => {
    history.replaceState(null, '', writeAddress('jobs', { status, kind, name }));
    app.redraw();
  };

  const fits = (job: Job): boolean =>
    (status === undefined || job.status === status) &&
    (kind === undefined || isOfImage(job) === (kind === 'image')) &&
    (name === '' || `${job.source.name ?? ''} ${job.id}`.toLowerCase().includes(name.trim().toLowerCase()));

  const filters =
    (): TemplateResult => html`<form class="filters" role="search" aria-label="Filter jobs" @submit=${(event: Event) => event.preventDefault()}>
    <label>Status <select @change=${(event: Event) => {
      status = ((event.target as HTMLSelectElement).value || undefined) as Status | undefined;
      hasMore = true;
      keep();
      void more();
    }}><option value="">all</option>${STATUSES.map((each) => html`<option ?selected=${each === status}>${each}</option>`)}</select></label>
    <label>Kind <select @change=${(event: Event) => {
      kind = ((event.target as HTMLSelectElement).value || undefined) as typeof kind;
      keep();
    }}><option value="">all</option><option value="image" ?selected=${kind === 'image'}>images</option><option value="video" ?selected=${kind === 'video'}>video and sound</option></select></label>
    <label class="grow">Name <input type="search" placeholder="part of a file’s name" .value=${live(name)} @input=${(
      event: Event,
    ) => {
      name = (event.target as HTMLInputElement).value;
      keep();
    }} /></label>
  </form>`;

  return {
    title: 'Jobs',
    render() {
      const shown = app.jobs.all().filter(fits);
      return html`
        <div class="bar"><h1>Jobs</h1>
          <span class="hint">${app.jobs.line === 'events' ? 'live' : 'asked for every 2 s'}</span></div>
        ${filters()}
        ${fault === undefined ? nothing : html`<p class="wrong" role="alert">${fault}</p>`}
        <p class="sr" aria-live="polite">${counted(shown.length, 'job')} shown</p>
        ${
          shown.length === 0 && !isLoading && fault === undefined
            ? html`<p class="panel empty">No job ${status === undefined && kind === undefined && name === '' ? 'yet' : 'like that'}. <a href="#/new">Make one</a></p>`
            : html`<ul class="jobs">${repeat(
                shown,
                ({ id }) => id,
                (job) => row(app, job),
              )}</ul>`
        }
        ${hasMore ? html`<p class="center"><button type="button" class="quiet" ?disabled=${isLoading} @click=${more}>Older jobs</button></p>` : nothing}`;
    },
    close() {
      stop();
      clearInterval(ticker);
    },
  };
}

function row(app: App, job: Job): TemplateResult {
  const made = job.outputs.reduce((sum, { bytes: each }) => sum + (each ?? 0), 0);
  const types = [...new Set(job.outputs.map(({ type }) => spaced(type)))].join(', ');
  return html`<li class="job">
    <div class="job-main">
      <a class="file" href="#/jobs/${job.id}">${job.source.name ?? job.id}</a>
      <span class="hint">${types} · ${ago(job.createdAt)}</span>
    </div>
    <div class="job-state">
      ${statusBadge(job.status)} <span class="hint">${progressLine(job)}</span>
      ${progressBar(job)}
      ${job.problem === null ? nothing : html`<span class="wrong">${job.problem.title}</span>`}
    </div>
    <div class="job-bytes hint">${
      made === 0
        ? bytes(job.source.bytes)
        : html`${bytes(job.source.bytes)} → ${bytes(made)} ${job.outputs.length === 1 ? savingBadge(made, job.source.bytes) : nothing}`
    }</div>
    ${jobActions(app, job)}
  </li>`;
}
