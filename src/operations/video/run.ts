// One FFmpeg run: its inputs, its graph, and each file that it writes with all its options.

import { FOLDER } from '../video-operation.ts';
import type { Piece, Source, StreamPart, Take, Window } from '../video-operation.ts';
import { buildGraph, cuttingSound } from './graph.ts';
import type { Graph } from './graph.ts';

export interface RunOutput {
  /** The client's name for the output. */
  readonly name: string;
  /** Below the scratch folder: `{folder}/{file}`, ours, never the client's. */
  readonly file: string;
  readonly piece: Piece;
  readonly options: readonly string[];
}

export interface RunInput {
  /** `source`, the reference of an asset, or `file:` and a file below the scratch folder. */
  readonly from: string;
  /** Seconds to begin at (0: no seek), and how many to read (null: all). */
  readonly seek: number;
  readonly seconds: number | null;
  /** Before `-i`, beside those of every input. */
  readonly options: readonly string[];
}

/** One FFmpeg process. */
export interface Run {
  /** Options of the whole command. */
  readonly global?: readonly string[];
  readonly inputs: readonly RunInput[];
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

/** A piece with all that is known of it. */
export interface Named {
  readonly name: string;
  readonly folder: string;
  readonly window: Window;
  readonly piece: Piece;
}

/** The folder of each output's files, below the scratch folder. */
export function foldersOf(parts: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.keys(parts).map((name, index) => [name, `${index}`]));
}

export interface LabelledGraph {
  readonly graph: Graph;
  /** The branch of a piece's stream. */
  branch(member: Named, stream: number): number | undefined;
}

/** Its filters, with the real folder in the place of `{folder}`. */
function inFolder(take: Take, folder: string): Take {
  if (take.from !== 'picture') return take;
  return { ...take, filters: take.filters.map((filter) => filter.replaceAll(FOLDER, folder)) };
}

const branchKey = ({ folder, piece }: Named, stream: number): string => `${folder} ${piece.file} ${stream}`;

export function graphOf(members: readonly Named[], source: Source, run: Window): LabelledGraph | null {
  const branches = members.flatMap((member) =>
    member.piece.streams.flatMap((stream, index) =>
      stream.kind === 'frames' && stream.take.from !== 'graph'
        ? [
            {
              key: branchKey(member, index),
              take: inFolder(stream.take, member.folder),
              window: member.window,
            },
          ]
        : [],
    ),
  );
  const { video } = source;
  if (branches.length === 0 || video === null) return null;
  const numbers = new Map(branches.map(({ key }, number) => [key, number]));
  return {
    graph: buildGraph(source, video, branches, run),
    branch: (member, stream) => numbers.get(branchKey(member, stream)),
  };
}

/** Nothing of the source but what is named, no metadata (place, camera, times), no chapters. */
const CLEAN = ['-dn', '-map_metadata', '-1', '-map_metadata:s', '-1', '-map_chapters', '-1'];

export function outputOf(member: Named, graph: LabelledGraph | null, run: Window): RunOutput {
  const { name, folder, piece, window } = member;
  const counts = { v: 0, a: 0, s: 0 };
  const maps: string[] = [];
  const options: string[] = [];
  for (const [index, stream] of piece.streams.entries()) {
    const type = typeOf(stream);
    const specifier = `:${type}:${counts[type]++}`;
    maps.push('-map', mapOf(stream, graph?.graph.labels[graph.branch(member, index) ?? -1]));
    const filters =
      stream.kind === 'audio' && stream.options['c'] !== 'copy'
        ? [...cuttingSound(window, run), ...stream.filters]
        : [];
    if (filters.length > 0) options.push(`-filter${specifier}`, filters.join(','));
    for (const [option, value] of Object.entries(stream.options)) {
      options.push(`-${option}${specifier}`, value);
    }
  }
  const many = piece.expects.kind === 'segments' || piece.expects.kind === 'stills';
  return {
    name,
    piece,
    file: `${folder}/${piece.file}`,
    options: [
      ...maps,
      // FFmpeg would add the source's subtitles by itself.
      ...(counts.s === 0 ? ['-sn'] : []),
      ...CLEAN,
      ...options,
      '-max_muxing_queue_size',
      '1024',
      // Of many files it would bound none: each of them is bounded by the process's own limit.
      ...(many ? [] : ['-fs', `${piece.maxBytes}`]),
      ...piece.muxer.map((word) => word.replaceAll(FOLDER, folder)),
    ],
  };
}

function typeOf({ kind }: StreamPart): 'v' | 'a' | 's' {
  if (kind === 'subtitle') return 's';
  return kind === 'audio' || kind === 'sound' ? 'a' : 'v';
}

function mapOf(stream: StreamPart, label: string | undefined): string {
  if ('source' in stream) return `0:${stream.source}`;
  if (stream.take.from === 'graph') return stream.take.label;
  if (label === undefined) throw new Error('frames were planned for a source without video');
  return label;
}
