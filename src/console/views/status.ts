// How a job is doing, in a word, a bar and a line; and what went wrong with it.

import { html, nothing } from 'lit-html';
import type { TemplateResult } from 'lit-html';
import type { Job } from '../api.ts';
import { isOver } from '../job-feed.ts';
import { spoken } from '../place.ts';
import { percent, saving, span } from '../words.ts';

const SIGNS: Readonly<Record<string, string>> = {
  queued: '○',
  running: '◐',
  succeeded: '✓',
  failed: '✕',
  cancelled: '–',
};

export function statusBadge(status: string): TemplateResult {
  return html`<span class="status is-${status}"><span aria-hidden="true">${SIGNS[status] ?? '·'}</span> ${status}</span>`;
}

/** How much smaller or larger than the source. */
export function savingBadge(of: number | null, source: number | null): TemplateResult {
  const isLarger = of !== null && source !== null && of > source;
  return html`<span class=${isLarger ? 'more-bytes' : 'good'}>${saving(of, source)}</span>`;
}

export function progressBar(job: Job): TemplateResult | typeof nothing {
  if (isOver(job)) return nothing;
  return html`<progress max="1" value=${job.progress} aria-label="Progress of ${job.source.name ?? job.id}"></progress>`;
}

/** `42 %, 2.4 × the speed of playing, 12 s left`. */
export function progressLine(job: Job): string {
  if (job.status === 'queued')
    return job.attempt > 0 ? `waits for attempt ${job.attempt + 1}` : 'waits for its turn';
  if (job.status === 'running') {
    const parts = [
      job.phase === ('fetching' as string) ? 'fetching the source' : percent(job.progress),
      ...(job.speed === null ? [] : [`${job.speed.toFixed(1)} × as fast as it plays`]),
      ...(job.etaSeconds === null ? [] : [`${span(job.etaSeconds)} left`]),
    ];
    return parts.join(', ');
  }
  if (job.startedAt === null || job.finishedAt === null) return '';
  return `in ${span((Date.parse(job.finishedAt) - Date.parse(job.startedAt)) / 1000)}`;
}

export function problemPanel({ problem, warnings, recipe }: Job): TemplateResult {
  return html`
    ${
      problem === null
        ? nothing
        : html`<section class="panel problem" role="alert" aria-label="Problem">
          <h2>${problem.title}</h2>
          <p>${problem.detail}</p>
          ${problem.errors === undefined ? nothing : html`<ul>${problem.errors.map(({ field, message }) => html`<li><b>${spoken(field.replace(/^recipe\./, ''), recipe)}</b>: ${message}</li>`)}</ul>`}
          <p class="hint">Code <a href=${problem.type}><code>${problem.code}</code></a></p>
        </section>`
    }
    ${
      warnings.length === 0
        ? nothing
        : html`<section class="panel warning" aria-label="Warnings"><h2>Warnings</h2>
          <ul>${warnings.map((each) => html`<li>${each}</li>`)}</ul></section>`
    }`;
}
