// Joins the parts of all outputs into as few FFmpeg runs as can be.

import type { OutputPart, Source, StreamPart, Take, Window } from '../video-operation.ts';
import { buildGraph, cuttingSound } from './graph.ts';
import type { Graph } from './graph.ts';

export interface RunOutput {
  /** The client's name for the output. */
  readonly name: string;
  /** File name inside the scratch folder: ours, never the client's. */
  readonly file: string;
  readonly options: readonly string[];
}

/** One FFmpeg process. */
export interface Run {
  /** Seconds of the source to begin at (0: no seek), and how many to read (null: all). */
  readonly seek: number;
  readonly seconds: number | null;
  /** For `-filter_complex`, or null if nothing is filtered. */
  readonly graph: string | null;
  readonly outputs: readonly RunOutput[];
  /** Length of its longest output in seconds: what progress is measured by. */
  readonly expectedSeconds: number | null;
  /** Share of the job's work, relative to other runs. */
  readonly weight: number;
  /** For a still that came out empty: from the beginning instead. */
  readonly fallback: Run | null;
}

export interface Plan {
  /** One after the other: each uses every core. */
  readonly runs: readonly Run[];
  /** Short ones for stills, beside the others. */
  readonly stills: readonly Run[];
  /** For each output, what people should know of how it was made. */
  readonly decisions: Readonly<Record<string, readonly string[]>>;
}

interface Named {
  readonly name: string;
  readonly file: string;
  readonly part: OutputPart;
}

/** Outputs that are made by one run. */
interface Group {
  readonly window: Window;
  readonly members: readonly Named[];
}

/** Copying is this much cheaper than encoding, a still worth this many seconds: only to weigh progress. */
const COPY_WEIGHT = 0.02;
const STILL_WEIGHT = 0.2;

/** Plans the runs. Pure; the same parts give the same plan. */
export function planRuns(parts: Readonly<Record<string, OutputPart>>, source: Source): Plan {
  const named = Object.entries(parts).map(([name, part], index) => ({
    name,
    file: `${index}.${part.extension}`,
    part,
  }));
  const clips = named.filter(({ part }) => momentOf(part) === null);
  const groups = groupClips(clips);
  const alone: Named[] = [];
  for (const still of named) {
    const moment = momentOf(still.part);
    if (moment === null) continue;
    const host = groups.findIndex(({ members, window }) => members.some(decodes) && holds(window, moment.at));
    const group = groups[host];
    if (group === undefined) alone.push(still);
    else groups[host] = { ...group, members: [...group.members, still] };
  }
  const decisions: Record<string, readonly string[]> = {};
  const runs = groups.map((group) => groupRun(group, source, decisions));
  const stills = alone.map((still) => stillRun(still, source, decisions));
  return { runs, stills, decisions };
}

function momentOf(part: OutputPart): (Take & { from: 'moment' }) | null {
  for (const stream of part.streams) {
    if (stream.kind === 'frames' && stream.take.from === 'moment') return stream.take;
  }
  return null;
}

function decodes({ part }: Named): boolean {
  return part.streams.some(({ kind }) => kind === 'frames');
}

function holds(window: Window, at: number): boolean {
  return at >= window.start && (window.end === null || at < window.end);
}

/**
 * Outputs that decode share a decode where their windows overlap: no second is decoded twice, and none that nobody
 * asked for. What is only copied joins a run of the very same window.
 */
function groupClips(clips: readonly Named[]): Group[] {
  const groups: Group[] = [];
  const end = ({ window }: Group): number => window.end ?? Infinity;
  for (const clip of clips.filter(decodes).toSorted((a, b) => a.part.window.start - b.part.window.start)) {
    const last = groups.at(-1);
    const { window } = clip.part;
    if (last !== undefined && window.start < end(last)) {
      const until = Math.max(end(last), window.end ?? Infinity);
      groups[groups.length - 1] = {
        window: { start: last.window.start, end: until === Infinity ? null : until },
        members: [...last.members, clip],
      };
    } else {
      groups.push({ window, members: [clip] });
    }
  }
  for (const clip of clips) {
    if (decodes(clip)) continue;
    const { window } = clip.part;
    const host = groups.findIndex((group) => sameWindow(group.window, window));
    const group = groups[host];
    if (group === undefined) groups.push({ window, members: [clip] });
    else groups[host] = { ...group, members: [...group.members, clip] };
  }
  return groups;
}

function sameWindow(a: Window, b: Window): boolean {
  return a.start === b.start && a.end === b.end;
}

function groupRun(
  { window, members }: Group,
  source: Source,
  decisions: Record<string, readonly string[]>,
): Run {
  const graph = graphOf(members, source, window);
  const clips = members.filter(({ part }) => part.expects.kind === 'clip');
  const known = clips.map(({ part }) => part.expects.durationSeconds).filter((length) => length !== null);
  const expectedSeconds = known.length < clips.length || known.length === 0 ? null : Math.max(...known);
  const decoding = members.filter(decodes);
  for (const member of members) {
    decisions[member.name] = [...member.part.decisions, ...sharing(member, decoding, graph)];
  }
  return {
    seek: window.start,
    seconds: window.end === null ? null : window.end - window.start,
    graph: graph?.graph.text ?? null,
    outputs: members.map((member) => outputOf(member, graph, window)),
    expectedSeconds,
    weight: (expectedSeconds ?? 60) * (decoding.length > 0 ? 1 : COPY_WEIGHT),
    fallback: null,
  };
}

/** By a fast seek: only a second around the moment is decoded. */
function stillRun(still: Named, source: Source, decisions: Record<string, readonly string[]>): Run {
  const at = momentOf(still.part)?.at ?? 0;
  const run = (seek: number, fallback: Run | null): Run => {
    const window = { start: seek, end: null };
    const graph = graphOf([still], source, window);
    return {
      seek,
      seconds: null,
      graph: graph?.graph.text ?? null,
      outputs: [outputOf(still, graph, window)],
      expectedSeconds: null,
      weight: STILL_WEIGHT,
      fallback,
    };
  };
  decisions[still.name] = [
    ...still.part.decisions,
    'taken by a seek: no other output needs that part of the video decoded',
  ];
  return run(at, at > 0 ? run(0, null) : null);
}

interface LabelledGraph {
  readonly graph: Graph;
  /** The branch of an output's stream. */
  branch(name: string, stream: number): number | undefined;
}

function graphOf(members: readonly Named[], source: Source, run: Window): LabelledGraph | null {
  const branches = members.flatMap(({ name, part }) =>
    part.streams.flatMap((stream, index) =>
      stream.kind === 'frames' ? [{ name, index, take: stream.take, window: part.window }] : [],
    ),
  );
  const { video } = source;
  if (branches.length === 0 || video === null) return null;
  const numbers = new Map(branches.map(({ name, index }, number) => [`${name} ${index}`, number]));
  return {
    graph: buildGraph(source, video, branches, run),
    branch: (name, stream) => numbers.get(`${name} ${stream}`),
  };
}

/** Nothing of the source but what is named, no metadata (place, camera, times), no chapters, no subtitles. */
const CLEAN = ['-sn', '-dn', '-map_metadata', '-1', '-map_metadata:s', '-1', '-map_chapters', '-1'];

function outputOf({ name, file, part }: Named, graph: LabelledGraph | null, run: Window): RunOutput {
  const counts = { v: 0, a: 0 };
  const maps: string[] = [];
  const options: string[] = [];
  for (const [index, stream] of part.streams.entries()) {
    const type = stream.kind === 'audio' ? 'a' : 'v';
    const specifier = `:${type}:${counts[type]++}`;
    maps.push('-map', mapOf(stream, graph?.graph.labels[graph.branch(name, index) ?? -1]));
    const filters =
      stream.kind === 'audio' && stream.options['c'] !== 'copy'
        ? [...cuttingSound(part.window, run), ...stream.filters]
        : [];
    if (filters.length > 0) options.push(`-filter${specifier}`, filters.join(','));
    for (const [option, value] of Object.entries(stream.options)) {
      options.push(`-${option}${specifier}`, value);
    }
  }
  return {
    name,
    file,
    options: [
      ...maps,
      ...CLEAN,
      ...options,
      '-max_muxing_queue_size',
      '1024',
      '-fs',
      `${part.maxBytes}`,
      ...part.muxer,
    ],
  };
}

function mapOf(stream: StreamPart, label: string | undefined): string {
  if (stream.kind !== 'frames') return `0:${stream.source}`;
  if (label === undefined) throw new Error('frames were planned for a source without video');
  return label;
}

function sharing(member: Named, decoding: readonly Named[], graph: LabelledGraph | null): string[] {
  if (!decodes(member) || graph === null) return [];
  const others = decoding.filter(({ name }) => name !== member.name).map(({ name }) => `"${name}"`);
  if (others.length === 0) return [];
  const shown = others.length > 3 ? `${others.length} other outputs` : others.join(', ');
  const size = graph.graph.scaledFrom[graph.branch(member.name, 0) ?? -1];
  return [
    `decoded once, together with ${shown}`,
    ...(size ? [`scaled from the frames of ${size.width}×${size.height}`] : []),
  ];
}
