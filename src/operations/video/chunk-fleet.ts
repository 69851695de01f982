// The cut of an output whose chunks are encoded by all machines of a fleet: the same whatever machine plans it.

import type { OutputPart, StreamOptions } from '../video-operation.ts';

type Chunks = NonNullable<OutputPart['chunks']>;

interface FleetGain {
  /** From this length on, in seconds. Under it, a machine alone is done before the others have the source. */
  readonly seconds: number;
  /** Keeps the encoder to one thread: chunks fill the cores, and their bytes must not depend on how many there are. */
  readonly alone: (options: StreamOptions) => StreamOptions;
}

const GAINS: Readonly<Record<string, FleetGain>> = {
  'libvpx-vp9': { seconds: 20, alone: () => ({ threads: '1' }) },
  libsvtav1: { seconds: 20, alone: (options) => added(options, 'svtav1-params', 'lp=1') },
  libx265: {
    seconds: 60,
    alone: (options) => ({ threads: '1', ...added(options, 'x265-params', 'pools=1:frame-threads=1') }),
  },
  // Quick enough that only films are worth it.
  libx264: { seconds: 300, alone: () => ({ threads: '1' }) },
};

const CHUNK_SECONDS = 10;
/** A film gets longer ones instead. */
const MOST_CHUNKS = 400;
/** By one machine, where no other helps. Each has the source's decoder in it: memory bounds them before cores do. */
const MOST_AT_ONCE = 8;

/** Null if the encoder is as fast alone, or the video too short. */
export function fleetChunks(wish: {
  /** FFmpeg's name. */
  readonly encoder: string;
  readonly fps: number;
  readonly durationSeconds: number;
  readonly cores: number;
}): Chunks | null {
  const { encoder, fps, durationSeconds, cores } = wish;
  const gain = Object.hasOwn(GAINS, encoder) ? GAINS[encoder] : undefined;
  if (gain === undefined || durationSeconds < gain.seconds) return null;
  const frames = Math.round(durationSeconds * fps);
  const wanted = Math.min(MOST_CHUNKS, Math.round(durationSeconds / CHUNK_SECONDS));
  const framesEach = Math.ceil(frames / wanted);
  const count = Math.ceil(frames / framesEach);
  return { count, framesEach, parallel: Math.max(1, Math.min(MOST_AT_ONCE, cores, count)) };
}

/** Options that keep an encoder of a chunk to one thread, over those that it has. */
export function oneThread(encoder: string, options: StreamOptions): StreamOptions {
  return GAINS[encoder]?.alone(options) ?? { threads: '1' };
}

function added(options: StreamOptions, name: string, words: string): StreamOptions {
  const before = options[name];
  return { [name]: before === undefined ? words : `${before}:${words}` };
}
