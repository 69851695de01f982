// What processes say of themselves, read with care: during a reload they may be of another version, and have other shapes.

import { LANES } from '../jobs/job.ts';
import type { MetricSnapshot } from './instruments.ts';
import { noLatencies } from './latencies.ts';
import type { ProcessSample } from './machine.ts';

type Fields = Readonly<Record<string, unknown>>;

const TYPES: ReadonlySet<unknown> = new Set<MetricSnapshot['type']>(['counter', 'gauge', 'histogram']);
/** All that prom-client has: its own metrics of the runtime use more of them than ours do. */
const AGGREGATORS: ReadonlySet<unknown> = new Set(['sum', 'max', 'min', 'average', 'first', 'omit']);

/** Without what is no metric or no number (NaN comes as null); undefined where nothing can be read at all. */
export function readSnapshots(told: unknown): readonly MetricSnapshot[] | undefined {
  if (!Array.isArray(told)) return undefined;
  return told.filter(isSnapshot).map((each) => ({ ...each, values: each.values.filter(isValue) }));
}

/** With zeros for numbers that are missing; undefined where nothing can be read at all. */
export function readSample(told: unknown): ProcessSample | undefined {
  if (!isObject(told)) return undefined;
  const number = (name: keyof ProcessSample): number => finite(told[name]);
  return {
    requests: number('requests'),
    latencies: readLatencies(told['latencies']),
    images: number('images'),
    bytesIn: number('bytesIn'),
    bytesOut: number('bytesOut'),
    threads: number('threads'),
    threadsBusy: number('threadsBusy'),
    imagesWaiting: number('imagesWaiting'),
    ffmpegRunning: number('ffmpegRunning'),
    ffmpegSlots: number('ffmpegSlots'),
    rssBytes: number('rssBytes'),
    // Older ones do not say, and were asked because they serve.
    ready: told['ready'] !== false,
    lacking: readLacking(told['lacking']),
    lanes: readLanes(told['lanes']),
  };
}

function readLacking(told: unknown): ProcessSample['lacking'] {
  const found = isObject(told) ? Object.entries(told) : [];
  return Object.fromEntries(found.filter((each): each is [string, string] => typeof each[1] === 'string'));
}

/** Buckets that are others than ours cannot be added to them. */
function readLatencies(told: unknown): readonly number[] {
  const none = noLatencies();
  return Array.isArray(told) && told.length === none.length ? told.map(finite) : none;
}

function readLanes(told: unknown): ProcessSample['lanes'] {
  if (!isObject(told)) return null;
  const lanes = LANES.map((lane) => {
    const of = isObject(told[lane]) ? told[lane] : {};
    const { oldestSince } = of;
    return [
      lane,
      {
        waiting: finite(of['waiting']),
        running: finite(of['running']),
        oldestSince: typeof oldestSince === 'number' ? oldestSince : null,
      },
    ] as const;
  });
  return Object.fromEntries(lanes) as ProcessSample['lanes'];
}

function isSnapshot(told: unknown): told is MetricSnapshot {
  if (!isObject(told)) return false;
  const { name, help, type, aggregator, values } = told;
  return (
    typeof name === 'string' &&
    typeof help === 'string' &&
    TYPES.has(type) &&
    AGGREGATORS.has(aggregator) &&
    Array.isArray(values)
  );
}

function isValue(told: unknown): boolean {
  return isObject(told) && typeof told['value'] === 'number' && isObject(told['labels']);
}

function isObject(told: unknown): told is Fields {
  return typeof told === 'object' && told !== null && !Array.isArray(told);
}

function finite(told: unknown): number {
  return typeof told === 'number' && Number.isFinite(told) ? told : 0;
}
