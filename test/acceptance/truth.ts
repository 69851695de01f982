// What a source shows and plays, decoded by FFmpeg alone: that against which results are held.

import { framesOf, lookAt, ratio, RATE, soundOf, streamsOf } from './look.ts';
import type { Frames, Looked, LookedStream } from './look.ts';

export interface Shown {
  /** As people see it: pixels square, upright. */
  readonly width: number;
  readonly height: number;
}

export interface PictureTruth extends Shown {
  readonly stream: LookedStream;
  readonly isHdr: boolean;
  readonly frames: Frames;
  /** Frames per second, on average. */
  readonly fps: number;
  /** The same where frames follow one another fastest: the rate of a grid that has room for all of them. */
  readonly beat: number;
  /** Seconds from the beginning of the file's clock. */
  readonly end: number;
}

export interface SoundTruth {
  readonly stream: LookedStream;
  readonly samples: Float32Array;
  readonly end: number;
}

export interface Truth {
  readonly path: string;
  readonly mediaType: string;
  readonly looked: Looked;
  readonly picture: PictureTruth;
  readonly sound: SoundTruth | null;
  /** Seconds until both have ended. */
  readonly seconds: number;
}

/** Longer side of the pictures that are compared. */
const SIDE = 64;

export async function truthOf(path: string, mediaType: string): Promise<Truth> {
  const looked = await lookAt(path);
  const [video] = streamsOf(looked, 'video');
  if (video === undefined) throw new Error(`${path} has no picture`);
  const shown = shownSize(video);
  const isHdr = /smpte2084|arib-std-b67/.test(video.color_transfer ?? '');
  const frames = await framesOf(path, smallSize(shown), {
    stream: `${video.index}`,
    filters: [...(isHdr ? TONE_MAPPING : []), ...(/^[tb]/.test(video.field_order ?? '') ? ['yadif'] : [])],
  });
  const [first = 0, last = 0] = [frames.times[0], frames.times.at(-1)];
  const fps = (frames.times.length - 1) / (last - first);
  const end = last + 1 / fps;
  const gaps = frames.times.slice(1).map((time, index) => time - (frames.times[index] ?? 0));
  const beat = 1 / Math.min(...gaps);
  const [audio] = streamsOf(looked, 'audio');
  const sound = audio === undefined ? null : await soundTruth(path, audio);
  return {
    path,
    mediaType,
    looked,
    picture: { ...shown, stream: video, isHdr, frames, fps, beat, end },
    sound,
    seconds: Math.max(end, sound?.end ?? 0),
  };
}

async function soundTruth(path: string, stream: LookedStream): Promise<SoundTruth> {
  const samples = await soundOf(path, { stream: `${stream.index}` });
  return { stream, samples, end: samples.length / RATE };
}

export function rotationOf({ side_data_list, tags }: LookedStream): number {
  const told = side_data_list?.find((data) => 'rotation' in data)?.['rotation'] ?? tags?.['rotate'];
  return Number(told ?? 0);
}

export function shownSize(video: LookedStream): Shown {
  const aspect = ratio(video.sample_aspect_ratio) ?? 1;
  // Less than a hundredth is an encoder's rounding.
  const width = (video.width ?? 0) * (Math.abs(aspect - 1) <= 0.01 ? 1 : aspect);
  const height = video.height ?? 0;
  return Math.abs(rotationOf(video) % 180) === 90 ? { width: height, height: width } : { width, height };
}

/** The size in which pictures of a shape are compared. */
export function smallSize({ width, height }: Shown): Shown {
  const factor = SIDE / Math.max(width, height);
  const even = (side: number): number => Math.max(2, 2 * Math.round((side * factor) / 2));
  return { width: even(width), height: even(height) };
}

/** To SDR, as FFmpeg's own documentation of `tonemap` has it. */
const TONE_MAPPING = [
  'scale=160:-2',
  'zscale=t=linear:npl=100',
  'format=gbrpf32le',
  'zscale=p=bt709',
  'tonemap=hable:desat=0',
  'zscale=t=bt709:m=bt709:r=tv',
  'format=yuv420p',
];

/** The middle of the source in another shape, as `cover` cuts it. */
export async function coveredFrames({ path, picture }: Truth, { width, height }: Shown): Promise<Frames> {
  const shape = width / height;
  const crop = `crop=w='min(iw\\,ih*${shape}/sar)':h='min(ih\\,iw*sar/${shape})'`;
  return framesOf(path, smallSize({ width, height }), {
    stream: `${picture.stream.index}`,
    filters: [...(picture.isHdr ? TONE_MAPPING : []), crop],
  });
}
