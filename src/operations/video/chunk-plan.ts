// Which outputs are encoded in parallel chunks: what the encoder gains by it, and whether the source can be cut on a grid.

import type { VideoStream } from '../media-probe.ts';
import type { OutputPart, Piece, Size, Source, StreamOptions, StreamPart } from '../video-operation.ts';
import { fleetChunks, oneThread } from './chunk-fleet.ts';

export type Chunks = NonNullable<OutputPart['chunks']>;

interface Gain {
  /** Up to so many pixels of a frame. */
  readonly pixels: number;
  /** From so many cores on. */
  readonly cores: number;
  /** Threads of each encoder, which it keeps busy at that size. */
  readonly threads: number;
}

const SD = 854 * 480;
const HD = 1280 * 720;

/**
 * Where chunks beat one encoder with all cores. Measured on 2 cores, two chunks at once ÷ whole: libvpx-vp9 0.87 at
 * 480p and 0.91 at 720p. SVT-AV1 1.6: it threads itself, so it is not here. x264 keeps four cores busy even with SD,
 * which was reckoned from its frame threads (one for about 100 lines), not measured.
 */
const GAINS: Readonly<Record<string, readonly Gain[]>> = {
  'libvpx-vp9': [{ pixels: HD, cores: 2, threads: 1 }],
  libx264: [{ pixels: SD, cores: 8, threads: 4 }],
};

const CHUNK_SECONDS = 10;
const LEAST_SECONDS = 5;
/** Each is a process with the source's decoder in it: memory bounds them before cores do. */
const MOST_AT_ONCE = 8;
/** A film gets longer ones instead. */
const MOST_CHUNKS = 400;

export interface ChunkWish {
  /** FFmpeg's name. */
  readonly encoder: string;
  readonly size: Size;
  readonly fps: number;
  readonly durationSeconds: number;
  readonly cores: number;
}

/** The cut of a whole video that can be cut, or null if one encoder is as fast or the video too short. */
export function chunksFor({ encoder, size, fps, durationSeconds, cores }: ChunkWish): Chunks | null {
  const gain = gainOf(encoder, size, cores);
  if (gain === null) return null;
  const parallel = Math.min(MOST_AT_ONCE, Math.floor(cores / gain.threads));
  const frames = Math.round(durationSeconds * fps);
  const most = Math.min(MOST_CHUNKS, Math.floor(durationSeconds / LEAST_SECONDS));
  if (parallel < 2 || most < 2) return null;
  // A multiple of those at once, so that all end about together; twice where that can be, since some take longer.
  const seconds = durationSeconds / parallel;
  const rounds = Math.max(
    1,
    Math.min(2, Math.floor(seconds / LEAST_SECONDS)),
    Math.round(seconds / CHUNK_SECONDS),
  );
  const framesEach = Math.ceil(frames / Math.min(rounds * parallel, most));
  const count = Math.ceil(frames / framesEach);
  return { count, framesEach, parallel: Math.min(parallel, count) };
}

function gainOf(encoder: string, { width, height }: Size, cores: number): Gain | null {
  const rows = Object.hasOwn(GAINS, encoder) ? (GAINS[encoder] ?? []) : [];
  return rows.find((gain) => width * height <= gain.pixels && cores >= gain.cores) ?? null;
}

/** Options that give the encoder of a chunk as many threads as it should have, over those of its stream. */
export function threadOptions(
  { encoder, size, stream }: ChunkPicture,
  { cores, sharesChunks }: Pick<Source, 'cores' | 'sharesChunks'>,
): StreamOptions {
  if (sharesChunks === true) return oneThread(encoder, stream.options);
  return { threads: `${gainOf(encoder, size, cores)?.threads ?? 1}` };
}

type Frames = StreamPart & { readonly kind: 'frames' | 'sound' };

/** The picture that a part encodes, where that is all that it has to encode. */
export interface ChunkPicture {
  readonly piece: Piece;
  readonly stream: Frames;
  readonly take: Frames['take'] & { readonly from: 'picture' };
  readonly encoder: string;
  readonly size: Size;
}

export function pictureOf({ pieces, own, finish, preparation }: OutputPart): ChunkPicture | null {
  const [piece] = pieces;
  const made = pieces.flatMap(({ streams }) => streams.filter((stream) => 'take' in stream));
  const [stream] = made;
  if (piece === undefined || stream === undefined || made.length > 1 || !piece.streams.includes(stream))
    return null;
  if (own !== undefined || finish !== undefined || preparation !== undefined) return null;
  const { take } = stream;
  const { kind, video } = piece.expects;
  if (take.from !== 'picture' || kind !== 'clip' || video === null) return null;
  return { piece, stream, take, encoder: stream.options['c'] ?? '', size: video.size };
}

/** Adds `chunks` to a part that gains by them, or says why it cannot have them. Every other part is as it was. */
export function withChunks(part: OutputPart, source: Source): OutputPart {
  const picture = pictureOf(part);
  const { video, probe, cores } = source;
  if (!source.mayChunk || picture === null || video === null || part.chunks !== undefined) return part;
  const fps = rateOf(video)?.value ?? video.fps ?? 0;
  const durationSeconds = video.durationSeconds ?? probe.durationSeconds ?? 0;
  const { encoder, size } = picture;
  const wish = { encoder, size, fps, durationSeconds, cores };
  const isShared = source.sharesChunks === true;
  const chunks = isShared ? fleetChunks(wish) : chunksFor(wish);
  if (chunks === null) return part;
  const why = obstacle(part, picture, source, video);
  if (why !== null) return { ...part, decisions: [...part.decisions, `encoded in one piece: ${why}`] };
  return { ...part, chunks, decisions: [...part.decisions, chunkDecision(chunks, fps, isShared)] };
}

function chunkDecision({ count, framesEach, parallel }: Chunks, fps: number, isShared: boolean): string {
  const seconds = Math.round((framesEach / fps) * 10) / 10;
  if (isShared) return `encoded in ${count} chunks of ${seconds} s, by whatever machine has a place for one`;
  return `encoded in ${count} chunks of ${seconds} s, ${parallel} at a time: at this size the encoder alone does not fill the cores`;
}

/**
 * Takes chunks away again where another output of the job is encoded whole: it fills the cores, and one decode serves all.
 * Chunks that other machines encode stay.
 */
export function agreeOnChunks(
  parts: Readonly<Record<string, OutputPart>>,
  source: Pick<Source, 'sharesChunks'> = {},
): Readonly<Record<string, OutputPart>> {
  if (source.sharesChunks === true) return parts;
  const isWhole = Object.values(parts).some((part) => part.chunks === undefined && encodesClips(part));
  if (!isWhole) return parts;
  return Object.fromEntries(
    Object.entries(parts).map(([name, part]) => {
      if (part.chunks === undefined) return [name, part];
      const { chunks: _chunks, ...whole } = part;
      const kept = part.decisions.filter((line) => !/^encoded in \d+ chunks /.test(line));
      const why = 'encoded in one piece: another output of this job shares its decoding and fills the cores';
      return [name, { ...whole, decisions: [...kept, why] }];
    }),
  );
}

function encodesClips({ pieces }: OutputPart): boolean {
  return pieces.some(({ streams, expects: { kind }, keyframesSuffice }) => {
    const isClip = kind === 'clip' || kind === 'segments';
    return isClip && keyframesSuffice !== true && streams.some((stream) => stream.kind === 'frames');
  });
}

/** Frames per second as a fraction. */
export interface Rate {
  readonly over: number;
  readonly under: number;
  readonly value: number;
}

/** The steady rate of a stream, or null if it varies or is none that a fraction tells well. */
export function rateOf({ fps, baseFps }: Pick<VideoStream, 'fps' | 'baseFps'>): Rate | null {
  if (fps === null || baseFps === null || Math.abs(fps - baseFps) > 0.001 * baseFps) return null;
  for (const [under, step] of [
    [1, 1],
    [1001, 1000],
    [1000, 1],
  ] as const) {
    const over = Math.round((baseFps * under) / step) * step;
    if (Math.abs(over / under - baseFps) <= 1e-6 * baseFps) return { over, under, value: over / under };
  }
  return null;
}

/** Containers with an index, in which a seek finds the very frame. */
const SEEKABLE = ['mov', 'matroska'];
/** Filters that make each frame of one frame alone: with others, frames at a cut would come out otherwise. */
const FRAME_FILTERS = new Set(
  'scale crop pad setsar format transpose hflip vflip zscale tonemap colorspace'.split(' '),
);
const STILL_TYPES = new Set(['image/jpeg', 'image/png']);
/** Options that mean more than one chunk. */
const WIDE_OPTIONS: Readonly<Record<string, string>> = {
  maxrate: 'a bitrate cap is held over the whole length',
  pass: 'two passes see the whole length',
  force_key_frames: 'its keyframes have times of their own',
};

/** Why a part cannot be cut, as a half sentence, or null. */
function obstacle(
  { window }: OutputPart,
  { take, stream }: ChunkPicture,
  { probe, assets }: Source,
  video: VideoStream,
): string | null {
  if (window.start > 0 || window.end !== null) return 'only a part of the source is wanted';
  if (!probe.container.split(',').some((name) => SEEKABLE.includes(name))) {
    return `${probe.container.split(',')[0]} has no index of its frames`;
  }
  const rate = rateOf(video);
  if (rate === null) return 'the frame rate of the source varies';
  if (take.fps !== null) return 'its frame rate is changed';
  const begins = (video.startSeconds ?? 0) - (probe.startSeconds ?? 0);
  if (Math.abs(begins) >= 0.5 / rate.value) return 'the picture does not begin where the file does';
  const { frames, durationSeconds } = video;
  if (frames !== null && durationSeconds !== null && Math.abs(frames - durationSeconds * rate.value) > 1.5) {
    return 'its frames and its length do not agree';
  }
  const filters = [...take.filters, ...(take.last ?? [])];
  const names = filters.flatMap((filter) => filter.split(',').map((one) => one.split('=')[0] ?? ''));
  if (names.some((name) => !FRAME_FILTERS.has(name)))
    return 'what is done to its frames depends on their time';
  const laidOver = (take.overlays ?? []).map(
    ({ from }) => (typeof from === 'string' ? assets.get(from)?.mediaType : null) ?? '',
  );
  if (laidOver.some((type) => !STILL_TYPES.has(type))) return 'what is laid over it may move';
  for (const [option, why] of Object.entries(WIDE_OPTIONS)) if (option in stream.options) return why;
  return null;
}
