// What a job made, each kind shown as one wants to see it, with its size and where to download it.

import { html, nothing } from 'lit-html';
import type { TemplateResult } from 'lit-html';
import type { Job, JobOutput } from '../api.ts';
import type { App } from '../app.ts';
import { isOver } from '../job-feed.ts';
import { bytes, clock, counted, size, spaced } from '../words.ts';
import { copyable, copyButton } from './copyable.ts';
import { documentTable } from './document-table.ts';
import { savingBadge, statusBadge } from './status.ts';

/** What is there instead of the source, so that their sizes can be compared. */
const REPLACES: ReadonlySet<string> = new Set(['image', 'transcode']);

type File = NonNullable<JobOutput['files']>[number];

export interface Comparison {
  readonly url: string;
  readonly label: string;
}

/** `before`: what images are compared with, where it is known. */
export function outputCard(
  app: App,
  job: Job,
  output: JobOutput,
  before: Comparison | undefined,
): TemplateResult {
  const { name, type, width, height, durationSeconds, mediaType, url } = output;
  const files = output.files ?? [];
  const facts = [
    size(width, height),
    ...(durationSeconds === null ? [] : [clock(durationSeconds)]),
    ...(mediaType === null ? [] : [mediaType]),
  ].filter((fact) => fact !== '');
  return html`<section class="panel output-card" aria-label="Output ${name}">
    <div class="bar"><h2>${name}</h2> <span class="badge">${spaced(type)}</span>
      ${output.status === 'succeeded' ? nothing : statusBadge(output.status)}</div>
    ${url === null ? html`<p class="hint">${isOver(job) || output.status === 'failed' || output.status === 'cancelled' ? 'Not made.' : 'Not there yet.'}</p>` : body(app, job, output, before)}
    <p class="facts">${facts.map((fact) => html`<span>${fact}</span>`)}
      ${output.bytes === null ? nothing : html`<b>${bytes(output.bytes)}</b> ${REPLACES.has(type) ? savingBadge(output.bytes, job.source.bytes) : nothing}`}</p>
    ${
      output.decisions.length === 0
        ? nothing
        : html`<ul class="decisions" aria-label="Decisions">${output.decisions.map((each) => html`<li>${each}</li>`)}</ul>`
    }
    ${output.bytes === null || url === null ? nothing : downloads(app, output, url, files)}
  </section>`;
}

const fileOf = (output: JobOutput | undefined, pattern: RegExp): string | undefined =>
  output?.files?.find(({ file }) => pattern.test(file))?.url;

function body(app: App, job: Job, output: JobOutput, before: Comparison | undefined): TemplateResult {
  const { type, name, url, mediaType } = output;
  const at = url ?? '';
  const title = `${name} of ${job.source.name ?? job.id}`;
  switch (type) {
    case 'image':
      return before === undefined
        ? picture(at, title)
        : compare(before, { url: at, label: `${name}, ${bytes(output.bytes)}` });
    case 'imageSet':
      return imageSet(app, output, before);
    case 'hls':
    case 'transcode':
    case 'concat':
      return player(job, output, title);
    case 'audio':
      return html`${wave(job)}<media-player audio src=${at} type=${mediaType ?? ''} title=${title}></media-player>`;
    case 'waveform':
      return html`<wave-form src=${fileOf(output, /\.json$/) ?? ''}></wave-form>`;
    case 'storyboard':
      return html`<div class="sprites">${(output.files ?? [])
        .filter(({ mediaType: kind }) => kind.startsWith('image/'))
        .slice(0, 4)
        .map(({ url: sprite, file }) => picture(sprite, `${title}: ${file}`))}</div>`;
    case 'probe':
      return documentTable(app, fileOf(output, /\.json$/) ?? at);
    default:
      return thumbnails(output, title);
  }
}

const picture = (url: string, alt: string): TemplateResult =>
  html`<a class="picture" href=${url} target="_blank" rel="noopener"><img src=${url} alt=${alt} loading="lazy" /></a>`;

const compare = (before: Comparison, after: Comparison): TemplateResult => html`<image-slider
  before=${before.url} before-label=${before.label} after=${after.url} after-label=${after.label}></image-slider>`;

/** With pictures above its time line, where the same job made them; and a poster. */
function player(job: Job, { url, mediaType }: JobOutput, title: string): TemplateResult {
  const ready = job.outputs.filter(({ bytes: size }) => size !== null);
  const storyboard = fileOf(
    ready.find(({ type }) => type === 'storyboard'),
    /\.vtt$/,
  );
  const poster = ready.find(
    ({ type, mediaType: kind }) => type === 'thumbnail' && kind?.startsWith('image/') === true,
  );
  return html`<media-player src=${url ?? ''} type=${mediaType ?? ''} title=${title}
    storyboard=${storyboard ?? nothing} poster=${poster?.url ?? nothing}></media-player>`;
}

function wave(job: Job): TemplateResult | typeof nothing {
  const peaks = fileOf(
    job.outputs.find(({ type }) => type === 'waveform'),
    /\.json$/,
  );
  return peaks === undefined ? nothing : html`<wave-form src=${peaks}></wave-form>`;
}

/** Largest against smallest: the same picture at the two ends of what it costs. */
function imageSet(app: App, output: JobOutput, before: Comparison | undefined): TemplateResult {
  const files = (output.files ?? []).filter(({ mediaType }) => mediaType.startsWith('image/'));
  const widest = Math.max(...files.map(({ width }) => width ?? 0));
  const best = files
    .filter(({ width, mediaType }) => width === widest && mediaType !== 'image/tiff')
    .sort((a, b) => a.bytes - b.bytes);
  const [small] = best;
  const large = best.at(-1);
  const label = (file: File): string => `${file.file}, ${bytes(file.bytes)}`;
  const reference =
    before ?? (large === undefined || large === small ? undefined : { url: large.url, label: label(large) });
  return html`
    ${
      small === undefined
        ? nothing
        : reference === undefined
          ? picture(small.url, label(small))
          : compare(reference, { url: small.url, label: label(small) })
    }
    ${output.html === undefined ? nothing : copyable(app, 'HTML', output.html)}`;
}

function thumbnails({ url, mediaType, files = [] }: JobOutput, title: string): TemplateResult {
  const pictures = files.filter(({ mediaType: kind }) => kind.startsWith('image/'));
  if (pictures.length > 1) {
    return html`<div class="thumbnails">${pictures.map(({ url: each, file }) => picture(each, `${title}: ${file}`))}</div>`;
  }
  if (mediaType?.startsWith('image/') === true) return picture(url ?? '', title);
  if (mediaType?.startsWith('video/') === true) {
    return html`<media-player src=${url ?? ''} type=${mediaType} title=${title}></media-player>`;
  }
  return html`<p class="hint">It has no picture. Download it below.</p>`;
}

/** A link alone opens nothing on a server with keys. */
export const keyNote = (app: App): TemplateResult | typeof nothing =>
  app.session()?.required === true
    ? html`<span class="hint">Opens for those who are signed in, or send a key.</span>`
    : nothing;

function downloads(app: App, output: JobOutput, url: string, files: readonly File[]): TemplateResult {
  const absolute = new URL(url, location.href).href;
  if (files.length === 0) {
    return html`<p class="bar"><a class="button" href="${url}?download=true" download>Download</a>
      ${copyButton(app, `link to ${output.name}`, absolute, 'Copy link')} ${keyNote(app)}</p>`;
  }
  return html`<details><summary>${counted(files.length, 'file')}</summary>
    ${keyNote(app)}
    <table class="files"><thead><tr><th>File</th><th>Pixels</th><th>Size</th><th><span class="sr">Link</span></th></tr></thead>
      <tbody>${files.map(
        (file) => html`<tr><td><a href="${file.url}?download=true" download>${file.file}</a></td>
          <td>${size(file.width, file.height)}</td><td>${bytes(file.bytes)}</td>
          <td>${copyButton(app, `link to ${file.file}`, new URL(file.url, location.href).href)}</td></tr>`,
      )}</tbody></table></details>`;
}
