// The page "Machine": what it does and how much is left of it, as lines over the last minutes.

import { html, nothing } from 'lit-html';
import type { TemplateResult } from 'lit-html';
import { ApiProblem, messageOf } from '../api.ts';
import type { App, View } from '../app.ts';
import type { Line } from '../elements/time-plot.ts';
import type { MachineSample, MachineView } from '../../metrics/machine.ts';
import { bytes } from '../words.ts';

const EVERY_MS = 5000;

interface Chart {
  readonly title: string;
  readonly lines: readonly Line[];
  readonly values: (sample: MachineSample) => readonly (number | null)[];
  readonly format: (value: number) => string;
}

const line = (label: string, index: number): Line => ({ label, colour: `--line-${index}` });
const number = (value: number): string =>
  value >= 100 || Number.isInteger(value) ? `${Math.round(value)}` : value.toFixed(1);
/** Milliseconds; from a second on, seconds. */
const duration = (value: number): string =>
  value >= 1000 ? `${number(value / 1000)} s` : `${number(value)} ms`;
const sum = (counts: Readonly<Record<string, number>> | undefined): number =>
  Object.values(counts ?? {}).reduce((all, each) => all + each, 0);

const CHARTS: readonly Chart[] = [
  {
    title: 'Throughput',
    lines: [line('requests/s', 1), line('images/s', 2)],
    values: ({ requestsPerSecond, imagesPerSecond }) => [requestsPerSecond, imagesPerSecond],
    format: number,
  },
  {
    title: 'Latency',
    lines: [line('half within', 1), line('95 % within', 2)],
    values: ({ p50Ms, p95Ms }) => [p50Ms, p95Ms],
    format: duration,
  },
  {
    title: 'Jobs',
    lines: [line('waiting', 3), line('running', 1)],
    values: ({ queued, running }) => [sum(queued), sum(running)],
    format: number,
  },
  {
    title: 'In use',
    lines: [line('image threads', 1), line('FFmpeg slots', 2)],
    values: ({ threadsBusy, ffmpegRunning }) => [threadsBusy, ffmpegRunning],
    format: number,
  },
  {
    title: 'Traffic',
    lines: [line('in', 1), line('out', 2)],
    values: ({ bytesInPerSecond, bytesOutPerSecond }) => [bytesInPerSecond, bytesOutPerSecond],
    format: (value) => `${bytes(value)}/s`,
  },
  {
    title: 'Memory',
    lines: [line('of all processes', 1)],
    values: ({ rssBytes }) => [rssBytes],
    format: (value) => bytes(value),
  },
];

export function machineView(app: App): View {
  let machine: MachineView | undefined;
  let fault: string | undefined;
  let isClosed = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  async function load(): Promise<void> {
    try {
      machine = await app.api.get<MachineView>('/v1/machine');
      fault = undefined;
    } catch (error) {
      fault = explain(error);
    }
    if (isClosed) return;
    app.redraw();
    timer = setTimeout(() => void load(), EVERY_MS);
  }
  void load();

  return {
    title: 'Machine',
    render: () => html`
      <div class="bar"><h1>Machine</h1>${machine === undefined ? nothing : html`<span class="hint">${machine.processes === 1 ? 'one process' : `${machine.processes} processes`} on ${machine.cores} cores, ${dutiesOf(machine)}every 5 s</span>`}</div>
      ${fault === undefined ? nothing : html`<p class="panel empty" role="status">${fault}</p>`}
      ${machine === undefined ? nothing : html`${figures(machine)}<div class="charts">${CHARTS.map((chart) => draw(chart, machine?.samples ?? []))}</div>`}`,
    close() {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}

/** What one of several machines does, if that is not everything. */
function dutiesOf({ roles, lanes }: MachineView): string {
  if (!roles.includes('work')) return 'answers only, ';
  const works = `works on ${lanes.join(', ')}, `;
  if (!roles.includes('web')) return `only ${works}`;
  return lanes.includes('video') && lanes.includes('film') && lanes.includes('image') ? '' : works;
}

function explain(error: unknown): string {
  if (error instanceof ApiProblem && error.status === 403)
    return 'This key may not look at the machine. Its operator makes one with the scope “machine”.';
  if (error instanceof ApiProblem && error.status === 404) return 'This server tells nothing of its machine.';
  return messageOf(error);
}

function figures({ samples, cores }: MachineView): TemplateResult | typeof nothing {
  const last = samples.at(-1);
  if (last === undefined) return html`<p class="hint">The first figures come within seconds.</p>`;
  const all: readonly (readonly [string, string, string])[] = [
    ['Processor', `${Math.round(last.cpu * 100)} %`, `of ${cores} cores`],
    ['Image threads', `${last.threadsBusy}`, `of ${last.threads} at work`],
    ['FFmpeg', `${last.ffmpegRunning}`, `of ${last.ffmpegSlots} slots`],
    ['Jobs', `${sum(last.running)}`, `running, ${sum(last.queued)} waiting`],
  ];
  return html`<dl class="figures">${all.map(([name, value, about]) => html`<div><dt>${name}</dt><dd><b>${value}</b> <span class="hint">${about}</span></dd></div>`)}</dl>`;
}

function draw({ title, lines, values, format }: Chart, samples: readonly MachineSample[]): TemplateResult {
  const rows = samples.map(values);
  const data = [
    samples.map(({ at }) => Date.parse(at) / 1000),
    ...lines.map((_, index) => rows.map((row) => row[index] ?? null)),
  ];
  const now = lines.map(({ label }, index) => `${label} ${format(rows.at(-1)?.[index] ?? 0)}`).join(', ');
  return html`<section class="panel" aria-label=${title}>
    <div class="bar"><h2>${title}</h2><span class="legend">${lines.map(
      ({ label, colour }, index) =>
        html`<span class="key ${colour.slice(2)}">${label} <b>${format(rows.at(-1)?.[index] ?? 0)}</b></span>`,
    )}</span></div>
    <time-plot .lines=${lines} .format=${format} .data=${data} aria-label="${title} of the last minutes; now: ${now}"></time-plot>
  </section>`;
}
