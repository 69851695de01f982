// Where files are dropped, chosen or pasted, and how far each is on its way.

import { html, nothing } from 'lit-html';
import type { TemplateResult } from 'lit-html';
import { repeat } from 'lit-html/directives/repeat.js';
import type { App } from '../app.ts';
import type { Transfer } from '../transfers.ts';
import { bytes, counted, percent, span } from '../words.ts';

export function dropZone(app: App): TemplateResult {
  const add = (files: FileList | null | undefined): void => {
    if (files !== null && files !== undefined && files.length > 0) app.transfers.add([...files]);
  };
  const mark = (event: DragEvent, isOver: boolean): void => {
    event.preventDefault();
    (event.currentTarget as HTMLElement).classList.toggle('is-over', isOver);
  };
  return html`<div class="drop"
    @dragover=${(event: DragEvent) => mark(event, true)}
    @dragleave=${(event: DragEvent) => mark(event, false)}
    @drop=${(event: DragEvent) => {
      mark(event, false);
      add(event.dataTransfer?.files);
    }}>
    <p><b>Drop images, videos or sounds here</b><br /><span class="hint">or paste them, or</span></p>
    <label class="button" for="files">Choose files</label>
    <input type="file" id="files" class="sr" multiple
      @change=${(event: Event) => {
        const input = event.target as HTMLInputElement;
        add(input.files);
        input.value = '';
      }} />
  </div>`;
}

/** Files of the clipboard, wherever on the page they are pasted. */
export function takePasted(app: App, event: ClipboardEvent): void {
  const files = [...(event.clipboardData?.files ?? [])];
  if (files.length === 0) return;
  event.preventDefault();
  app.transfers.add(files);
}

export function transferList(
  app: App,
  isPlaced: (transfer: Transfer) => boolean,
  /** Why no job is made of it with the recipe at hand. */
  misfitOf: (transfer: Transfer) => string | undefined,
): TemplateResult | typeof nothing {
  const transfers = app.transfers.list();
  if (transfers.length === 0) return nothing;
  return html`${tally(app)}<ul class="transfers" aria-label="Files">
    ${repeat(
      transfers,
      ({ key }) => key,
      (transfer) => row(app, transfer, isPlaced(transfer), misfitOf(transfer)),
    )}
  </ul>`;
}

/** `3 of 5 jobs made`, where there are several. */
function tally(app: App): TemplateResult | typeof nothing {
  const ids = app.transfers.list().flatMap(({ jobId }) => jobId ?? []);
  if (ids.length < 2) return nothing;
  const number = (status: string): number => ids.filter((id) => app.jobs.get(id)?.status === status).length;
  const failed = number('failed');
  return html`<p class="hint" role="status">${number('succeeded')} of ${counted(ids.length, 'job')} made${failed > 0 ? `, ${failed} failed` : ''}</p>`;
}

function row(app: App, transfer: Transfer, isPlaced: boolean, misfit: string | undefined): TemplateResult {
  const { file, status, sentBytes, jobId, problem } = transfer;
  const job = jobId === undefined ? undefined : app.jobs.get(jobId);
  const word = { pause: 'Pause', resume: 'Resume' };
  const act = status === 'sending' || status === 'waiting' ? 'pause' : 'resume';
  const canAct = status !== 'sent' && status !== 'refused';
  return html`<li class="transfer">
    <div class="bar">
      <span class="file" title=${file.name}>${file.name}</span>
      <span class="hint">${bytes(file.size)}</span>
      <span class="buttons">
        ${
          canAct
            ? html`<button type="button" class="quiet small" aria-label="${word[act]} ${file.name}"
              @click=${() => app.transfers[act](transfer)}>${word[act]}</button>`
            : nothing
        }
        <button type="button" class="quiet small" aria-label="Remove ${file.name}"
          @click=${() => app.transfers.remove(transfer)}>✕</button>
      </span>
    </div>
    ${
      status === 'sent' || status === 'refused'
        ? nothing
        : html`<progress max=${file.size || 1} value=${sentBytes} aria-label="${file.name}: sent"></progress>`
    }
    <p class="hint" role="status">${
      jobId === undefined
        ? state(transfer, isPlaced)
        : html`<a href="#/jobs/${jobId}">Job ${job?.status ?? 'made'}</a>${job?.status === 'running' ? ` · ${percent(job.progress)}` : ''}`
    }</p>
    ${problem === undefined && misfit === undefined ? nothing : html`<p class="wrong" role="alert">${problem ?? misfit}</p>`}
  </li>`;
}

function state({ status, file, sentBytes, rate }: Transfer, isPlaced: boolean): string {
  switch (status) {
    case 'waiting':
      return 'waiting for its turn';
    case 'sending': {
      const left = rate > 0 ? `, ${bytes(rate)}/s, ${span((file.size - sentBytes) / rate)} left` : '';
      return `${percent(file.size === 0 ? 1 : sentBytes / file.size)} sent${left}${isPlaced ? ' · its job follows' : ''}`;
    }
    case 'paused':
      return `paused at ${percent(sentBytes / (file.size || 1))}`;
    case 'sent':
      return isPlaced ? 'making the job …' : 'on the server';
    case 'refused':
      return 'not taken';
    case 'failed':
      return 'did not get through';
  }
}
