// Joins the pieces of all outputs into as few FFmpeg runs as can be.

import type { OutputPart, Piece, Source } from '../video-operation.ts';
import {
  decodes,
  groupClips,
  holds,
  isCutText,
  isStream,
  keyframesSuffice,
  momentOf,
  onlyCopies,
} from './grouping.ts';
import type { Group } from './grouping.ts';
import { foldersOf, graphOf, outputOf } from './run.ts';
import type { LabelledGraph, Named, Run, RunInput } from './run.ts';
import { seekFor } from './seeking.ts';

export interface Plan {
  /** First of all, one after the other: what other runs read. */
  readonly preparations: readonly Run[];
  /** One after the other: each uses every core. */
  readonly runs: readonly Run[];
  /** Short ones for stills, beside the others. */
  readonly stills: readonly Run[];
  /** For each output, what people should know of how it was made. */
  readonly decisions: Readonly<Record<string, readonly string[]>>;
}

/** Copying is this much cheaper than encoding, a still worth this many seconds: only to weigh progress. */
const COPY_WEIGHT = 0.02;
const STILL_WEIGHT = 0.2;

/** Plans the runs of all parts but those in chunks. Pure; the same parts give the same plan. */
export function planRuns(parts: Readonly<Record<string, OutputPart>>, source: Source): Plan {
  const folders = foldersOf(parts);
  const entries = Object.entries(parts).filter(([, part]) => part.chunks === undefined);
  const namedOf = (name: string, { window }: OutputPart, pieces: readonly Piece[]): Named[] =>
    pieces.map((piece) => ({ name, folder: folders[name] ?? '', window, piece }));
  const decisions: Record<string, Set<string>> = Object.fromEntries(
    Object.entries(parts).map(([name, part]) => [name, new Set(part.decisions)]),
  );
  const tell: Tell = (name, ...lines) => {
    for (const line of lines) decisions[name]?.add(line);
  };

  const shared = entries.flatMap(([name, part]) =>
    part.own === undefined ? namedOf(name, part, part.pieces) : [],
  );
  const cutTexts = shared.filter(isCutText);
  const clips = shared.filter((member) => momentOf(member.piece) === null && !isCutText(member));
  // A copy that does not pass makes all outputs begin anew: known before anybody watches a stream of the same job.
  const early = clips.some(isStream) ? clips.filter(onlyCopies) : [];
  const groups = [...groupClips(early), ...groupClips(clips.filter((clip) => !early.includes(clip)))];
  const alone: Named[] = [];
  for (const still of shared) {
    const moment = momentOf(still.piece);
    if (moment === null) continue;
    const host = groups.findIndex(
      ({ members, window }) =>
        members.some(decodes) && !members.every(keyframesSuffice) && holds(window, moment.at),
    );
    const group = groups[host];
    if (group === undefined) alone.push(still);
    else groups[host] = { ...group, members: [...group.members, still] };
  }
  const runs = [
    ...groups.map((group) => groupRun(group, source, tell)),
    ...entries.flatMap(([name, part]) =>
      part.own === undefined ? [] : [ownRun(part, part.own, namedOf(name, part, part.pieces))],
    ),
    ...(cutTexts.length > 0 ? [plainRun(cutTexts)] : []),
  ];
  const prepared = entries.flatMap(([name, part]) => namedOf(name, part, part.preparation ?? []));
  return {
    preparations: prepared.map((member) => plainRun([member])),
    runs,
    stills: alone.map((still) => stillRun(still, source, tell)),
    decisions: Object.fromEntries(Object.entries(decisions).map(([name, lines]) => [name, [...lines]])),
  };
}

type Tell = (name: string, ...lines: readonly string[]) => void;

function groupRun({ window, members }: Group, source: Source, tell: Tell): Run {
  const run = { start: seekFor(source.probe, window.start), end: window.end };
  const graph = graphOf(members, source, run);
  const decoding = members.filter(decodes);
  for (const member of members) tell(member.name, ...sharing(member, decoding, graph));
  const skipping = decoding.length > 0 && decoding.every(keyframesSuffice);
  if (skipping)
    for (const { name } of decoding) tell(name, 'only keyframes were decoded: they are dense enough');
  return {
    inputs: [
      {
        from: 'source',
        seek: run.start,
        seconds: run.end === null ? null : run.end - run.start,
        options: skipping ? ['-skip_frame', 'nokey'] : [],
      },
      ...assetInputs(graph?.graph.assets ?? []),
    ],
    graph: graph?.graph.text ?? null,
    outputs: members.map((member) => outputOf(member, graph, run)),
    ...workOf(members, decoding.length > 0),
    fallback: null,
  };
}

function ownRun(
  { window }: OutputPart,
  { inputs, graph }: NonNullable<OutputPart['own']>,
  members: readonly Named[],
): Run {
  return {
    inputs: inputs.map((input) => ({ ...input, options: [] })),
    graph,
    outputs: members.map((member) => outputOf(member, null, window)),
    ...workOf(members, true),
    fallback: null,
  };
}

/** Files that only need streams of the source, copied or converted, from its beginning to its end. */
function plainRun(members: readonly Named[]): Run {
  return {
    inputs: [{ from: 'source', seek: 0, seconds: null, options: [] }],
    graph: null,
    outputs: members.map((member) => outputOf(member, null, { start: 0, end: null })),
    ...workOf(members, false),
    fallback: null,
  };
}

type Rest = Pick<Run, 'global' | 'expectedSeconds' | 'weight'>;

function workOf(members: readonly Named[], decoding: boolean): Rest {
  const global = [...new Map(members.map(({ piece }) => [piece.global?.join(' '), piece.global])).values()];
  const clips = members.filter(({ piece }) => piece.expects.kind !== 'still');
  const known = clips.map(({ piece }) => piece.expects.durationSeconds).filter((length) => length !== null);
  const expectedSeconds = known.length < clips.length || known.length === 0 ? null : Math.max(...known);
  const options = global.flatMap((each) => each ?? []);
  return {
    expectedSeconds,
    weight: (expectedSeconds ?? 60) * (decoding ? 1 : COPY_WEIGHT),
    ...(options.length > 0 && { global: options }),
  };
}

/** By a fast seek: only a second around the moment is decoded. */
function stillRun(still: Named, source: Source, tell: Tell): Run {
  const at = momentOf(still.piece)?.at ?? 0;
  // From the beginning, the first frame there is will do: to look for the moment again would take as long as the video.
  const run = (seek: number, fallback: Run | null, begin = seek): Run => {
    const window = { start: begin, end: null };
    const graph = graphOf([still], source, window);
    return {
      inputs: [{ from: 'source', seek, seconds: null, options: [] }],
      graph: graph?.graph.text ?? null,
      outputs: [outputOf(still, graph, window)],
      expectedSeconds: null,
      weight: STILL_WEIGHT,
      fallback,
    };
  };
  tell(still.name, 'taken by a seek: no other output needs that part of the video decoded');
  return run(seekFor(source.probe, at), at > 0 ? run(0, null, at) : null);
}

function assetInputs(references: readonly string[]): RunInput[] {
  return references.map((from) => ({ from, seek: 0, seconds: null, options: [] }));
}

function sharing(member: Named, decoding: readonly Named[], graph: LabelledGraph | null): string[] {
  if (!decodes(member) || graph === null) return [];
  const names = new Set(decoding.map(({ name }) => name));
  names.delete(member.name);
  const others = [...names].map((name) => `"${name}"`);
  const shown = others.length > 3 ? `${others.length} other outputs` : others.join(', ');
  // Of several pieces each would say it, and nobody could tell which.
  const isOne = decoding.filter(({ name }) => name === member.name).length === 1;
  const size = isOne ? graph.graph.scaledFrom[graph.branch(member, 0) ?? -1] : undefined;
  return [
    ...(others.length > 0 ? [`decoded once, together with ${shown}`] : []),
    ...(size && others.length > 0 ? [`scaled from the frames of ${size.width}×${size.height}`] : []),
  ];
}
