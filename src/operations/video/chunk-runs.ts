// The FFmpeg runs of outputs in chunks: one for each stretch of frames, and one that joins them and adds the sound.

import type { OutputPart, Piece, Source, StreamOptions, StreamPart } from '../video-operation.ts';
import { pictureOf, rateOf, threadOptions } from './chunk-plan.ts';
import type { Chunks, Rate } from './chunk-plan.ts';
import { concatOptions } from './concat-list.ts';
import { foldersOf, graphOf, outputOf } from './run.ts';
import type { Named, Run, RunOutput } from './run.ts';

/** Outputs that are cut the same way: each chunk of theirs is one run and one decode. */
export interface Batch {
  readonly chunks: Chunks;
  readonly rate: Rate;
  /** Estimated before the frames are counted. */
  readonly expectedSeconds: number;
  readonly weight: number;
  readonly members: readonly BatchMember[];
  /** Number `index` of the chunks of a source of so many frames. Outputs are in the order of the members. */
  chunkRun(index: number, frames: number): Run;
  /** Encodes a member's sound, once and whole, beside the chunks; null where there is none to encode. */
  soundRun(member: BatchMember): Run | null;
  /** Joins the chunks of a member. Both are below the scratch folder: a list for FFmpeg's concat demuxer, the sound. */
  joinRun(member: BatchMember, from: { readonly list: string; readonly sound: string | null }): Run;
}

export interface BatchMember {
  readonly name: string;
  readonly folder: string;
  readonly part: OutputPart;
}

/** The batches of all parts in chunks, in the order of the parts. */
export function planBatches(parts: Readonly<Record<string, OutputPart>>, source: Source): readonly Batch[] {
  const folders = foldersOf(parts);
  const groups = new Map<string, { chunks: Chunks; members: BatchMember[] }>();
  for (const [name, part] of Object.entries(parts)) {
    if (part.chunks === undefined) continue;
    const key = `${part.chunks.framesEach} ${part.chunks.parallel}`;
    const group = groups.get(key) ?? { chunks: part.chunks, members: [] };
    group.members.push({ name, folder: folders[name] ?? '', part });
    groups.set(key, group);
  }
  const rate = source.video === null ? null : rateOf(source.video);
  if (rate === null) return [];
  return [...groups.values()].map(({ chunks, members }) => {
    const expectedSeconds = (chunks.count * chunks.framesEach) / rate.value;
    return {
      chunks,
      rate,
      members,
      expectedSeconds,
      weight: expectedSeconds,
      chunkRun: (index, frames) => chunkRun(members, source, { chunks, rate, index, frames }),
      soundRun,
      joinRun,
    };
  });
}

/** Frames of chunk number `index`. */
export function framesOf(index: number, framesEach: number, frames: number): number {
  return Math.min(framesEach, frames - index * framesEach);
}

interface Cut {
  readonly chunks: Chunks;
  readonly rate: Rate;
  readonly index: number;
  readonly frames: number;
}

function chunkRun(members: readonly BatchMember[], source: Source, cut: Cut): Run {
  const { index, rate, chunks } = cut;
  const first = index * chunks.framesEach;
  const isLast = first + chunks.framesEach >= cut.frames;
  const count = framesOf(index, chunks.framesEach, cut.frames);
  const seconds = count / rate.value;
  const named = members.map((member) => chunkOf(member, source, cut, isLast ? null : count));
  const whole = { start: 0, end: null };
  const graph = graphOf(named, source, whole);
  return {
    inputs: [
      {
        from: 'source',
        // Half a frame early: no rounding of a timestamp makes a seek miss its frame.
        seek: first === 0 ? 0 : (first - 0.5) / rate.value,
        seconds: null,
        // Decoders with threads for every core, one for each chunk at once, would only take memory.
        options: ['-threads', '2'],
      },
      ...(graph?.graph.assets ?? []).map((from) => ({ from, seek: 0, seconds: null, options: [] })),
    ],
    graph: graph?.graph.text ?? null,
    outputs: named.map((member) => outputOf(member, graph, whole)),
    expectedSeconds: seconds,
    weight: seconds,
    fallback: null,
  };
}

/** The last one has no bound on its frames: if there are more than were counted, that must be seen. */
function chunkOf({ name, folder, part }: BatchMember, source: Source, cut: Cut, most: number | null): Named {
  const picture = pictureOf(part);
  if (picture === null) throw new Error('a part without a picture was planned in chunks');
  const { piece, take, stream } = picture;
  // MP4 names its pictures so, the chunk's container does not.
  const { tag: _tag, ...options } = stream.options;
  return {
    name,
    folder: `chunks-${folder}`,
    window: part.window,
    piece: {
      file: `${cut.index}.mp4`,
      mediaType: 'video/mp4',
      streams: [
        {
          kind: 'frames',
          take: { ...take, last: [...(take.last ?? []), ...ontoGrid(cut)] },
          options: { ...options, ...threadOptions(picture, source) },
        },
      ],
      // Unlike Matroska, MP4 counts time in parts of the frame rate: no timestamp is rounded.
      muxer: [...(most === null ? [] : ['-frames:v', `${most}`]), '-f', 'mp4'],
      expects: { ...piece.expects, audio: null, durationSeconds: null },
      maxBytes: piece.maxBytes,
    },
  };
}

/**
 * Each frame gets the number of its place in the chunk as its time. One that is missing leaves a gap then, which
 * counting would hide.
 */
function ontoGrid({ index, rate: { over, under } }: Cut): string[] {
  const early = index === 0 ? '' : '-0.5';
  return [`setpts=round(T*${over}/${under}${early})*${under}/${over}/TB`, `settb=${under}/${over}`];
}

/** Options that are spent when sound is encoded: a copy of it needs none of them. */
const SOUND_OPTIONS = new Set(['c', 'b', 'ac', 'ar', 'profile']);

function soundRun({ name, folder, part }: BatchMember): Run | null {
  const [piece, ...others] = part.pieces;
  const rest = piece?.streams.filter(({ kind }) => kind !== 'frames') ?? [];
  const sounds = rest.filter(({ kind }) => kind === 'audio');
  const spent = sounds.every(
    ({ options }) =>
      options['c'] !== 'copy' && Object.keys(options).every((option) => SOUND_OPTIONS.has(option)),
  );
  if (piece === undefined || sounds.length === 0 || !spent) return null;
  // What still has to come from the source as the chunks are joined has its clock, the sound that of its own file.
  if (others.length > 0 || rest.length > sounds.length) return null;
  const alone: Piece = {
    ...piece,
    // In the container that it comes into in the end: it has its own way to tell of samples before the first.
    file: `sound.${piece.file.split('.').at(-1)}`,
    streams: sounds,
    expects: { ...piece.expects, video: null },
  };
  const named = { name, folder: `chunks-${folder}`, window: part.window, piece: alone };
  return {
    inputs: [{ from: 'source', seek: 0, seconds: null, options: [] }],
    graph: null,
    outputs: [outputOf(named, null, part.window)],
    expectedSeconds: piece.expects.durationSeconds,
    weight: 0,
    fallback: null,
  };
}

function joinRun(
  { name, folder, part }: BatchMember,
  { list, sound }: { readonly list: string; readonly sound: string | null },
): Run {
  const seconds = part.pieces[0]?.expects.durationSeconds ?? null;
  const outputs = part.pieces.map((piece, index): RunOutput => {
    let sounds = 0;
    const streams = piece.streams.map((stream): StreamPart => {
      if (stream.kind === 'frames') return copied(stream.options);
      if (stream.kind !== 'audio' || sound === null || index > 0) return stream;
      return { kind: 'sound', take: { from: 'graph', label: `2:a:${sounds++}` }, options: { c: 'copy' } };
    });
    const joined: Piece = { ...piece, streams };
    return outputOf({ name, folder, window: part.window, piece: joined }, null, part.window);
  });
  return {
    inputs: [
      { from: 'source', seek: 0, seconds: null, options: [] },
      {
        from: `file:${list}`,
        seek: 0,
        seconds: null,
        options: concatOptions('mov'),
      },
      ...(sound === null
        ? []
        : [{ from: `file:${sound}`, seek: 0, seconds: null, options: ['-protocol_whitelist', 'file'] }]),
    ],
    graph: null,
    outputs,
    // Else FFmpeg would move sound that begins before the picture, as Opus does by its lead-in, to the picture's start.
    ...(sound !== null && { global: ['-copyts'] }),
    expectedSeconds: seconds,
    weight: 0,
    fallback: null,
  };
}

/** The encoded picture, from the list. */
function copied({ tag }: StreamOptions): StreamPart {
  const options: StreamOptions = { c: 'copy', ...(tag !== undefined && { tag }) };
  return { kind: 'frames', take: { from: 'graph', label: '1:v:0' }, options };
}

/** The same run for some of its outputs, each the same to the bit: frames that nobody wants are made all the same. */
export function onlyOutputs(run: Run, isWanted: (output: RunOutput, index: number) => boolean): Run {
  const unwanted = run.outputs.flatMap((output, index) =>
    isWanted(output, index) ? [] : [`[v${index}]nullsink`],
  );
  if (unwanted.length === 0) return run;
  return {
    ...run,
    graph: [run.graph, ...unwanted].join(';'),
    outputs: run.outputs.filter(isWanted),
  };
}
