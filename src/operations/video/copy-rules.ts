// Which streams are web-ready as they are: those are copied, which costs next to nothing and loses nothing.

import { mainVideo } from '../media-probe.ts';
import type { AudioStream, MediaProbe, VideoStream } from '../media-probe.ts';
import type { Size, StreamOptions } from '../video-operation.ts';
import type { PictureCodec } from './encoders.ts';
import { hdrKind } from './frames.ts';
import { hasSquarePixels, shownSize } from './geometry.ts';
import { channelName, codecName } from './names.ts';

export type WebFormat = 'mp4' | 'webm';

/** What a transcode asks for, as far as copying is concerned. */
export interface CopyWish {
  readonly format: WebFormat;
  readonly codec: PictureCodec;
  readonly encode: 'auto' | 'always';
  /** The size that the box gives. */
  readonly final: Size;
  /** A quality was asked for: only encoding can give it. */
  readonly quality: boolean;
  /** Kilobits per second. */
  readonly maxBitrate: number | null;
  readonly fps: number | null;
  readonly trimmed: boolean;
  /** It is to be turned or mirrored. */
  readonly turned: boolean;
  /** What is to be drawn on it: `a watermark`, `subtitles`. */
  readonly drawn: string | null;
  /** As the file says, or as was found out. */
  readonly interlaced: boolean;
}

export interface Verdict {
  readonly copy: boolean;
  /** A half sentence: why, or why not. */
  readonly why: string;
}

/** Containers whose timestamps can be taken over. AVI has none of its own, GIF no such codecs. */
const COPYABLE_CONTAINERS = ['mov', 'mp4', 'matroska', 'webm', 'mpegts'];
/** What browsers and phones decode: profiles, and levels as each codec counts them. */
const DECODED: Readonly<
  Record<PictureCodec, { profiles: ReadonlySet<string>; maxLevel: number; levelName: string }>
> = {
  // 4K at 60 frames.
  h264: {
    profiles: new Set(['Constrained Baseline', 'Baseline', 'Main', 'High']),
    maxLevel: 52,
    levelName: '5.2',
  },
  hevc: { profiles: new Set(['Main']), maxLevel: 153, levelName: '5.1' },
  av1: { profiles: new Set(['Main']), maxLevel: 14, levelName: '5.2' },
  vp9: { profiles: new Set(['Profile 0']), maxLevel: 52, levelName: '5.2' },
};
const AAC_PROFILES = new Set(['LC', 'HE-AAC', 'HE-AACv2']);
/** Bits per pixel and frame that are plenty on the web; and what even a small picture may have per second. */
const MAX_BITS_PER_PIXEL = 0.25;
const ALWAYS_FINE_BITS = 4_000_000;
const MAX_AUDIO_BITS = 320_000;
/** AAC: samples of a frame. */
const AAC_SAMPLES = 1024;

export function videoVerdict(probe: MediaProbe, wish: CopyWish): Verdict {
  const video = mainVideo(probe);
  if (video === null) return no('there is no picture');
  const first = pictureReasons(probe, video, wish).next();
  if (!first.done) return no(first.value);
  const profile = video.profile === null ? '' : ` ${video.profile}`;
  const bits = videoBits(probe, video);
  return yes(
    `${codecName(video.codec)}${profile}, ${video.pixelFormat}${bits === null ? '' : `, ${kilobits(bits)}`} is web-ready`,
  );
}

/** The reasons against a copy, the plainest first. */
function* pictureReasons(probe: MediaProbe, video: VideoStream, wish: CopyWish): Generator<string, void> {
  if (wish.encode === 'always') yield 'encoding was asked for';
  if (video.codec !== wish.codec) yield `it is ${codecName(video.codec)}, not ${codecName(wish.codec)}`;
  if (wish.trimmed) yield 'a cut between keyframes needs new frames';
  if (wish.drawn !== null) yield `${wish.drawn} can only be drawn on new frames`;
  if (wish.turned) yield 'it is to be turned or mirrored';
  const shown = shownSize(video);
  // An odd side is no reason: what is copied keeps it.
  if (Math.abs(shown.width - wish.final.width) > 1 || Math.abs(shown.height - wish.final.height) > 1) {
    yield `it is ${shown.width}×${shown.height}, wanted is ${wish.final.width}×${wish.final.height}`;
  }
  if (wish.fps !== null) yield `wanted are ${wish.fps} frames per second`;
  if (wish.quality) yield 'a quality was asked for';
  if (video.pixelFormat !== 'yuv420p') yield `its pixels are ${video.pixelFormat ?? 'unknown'}, not yuv420p`;
  const { profiles, maxLevel, levelName } = DECODED[wish.codec];
  if (!profiles.has(video.profile ?? '')) yield `its profile is ${video.profile ?? 'unknown'}`;
  // Files of VP9 do not tell it.
  if (wish.codec !== 'vp9' && (video.level === null || video.level > maxLevel)) {
    yield `its level is above ${levelName}`;
  }
  const hdr = hdrKind(video);
  if (hdr !== null) yield `its colours are ${hdr}`;
  // Unlike MP4, WebM has no place for it that players look at.
  if (wish.format === 'webm' && video.rotation !== 0) yield 'WebM cannot carry its rotation';
  if (wish.interlaced) yield 'it is interlaced';
  if (!hasSquarePixels(video)) yield 'its pixels are not square';
  if (!containerFits(probe)) yield `timestamps of ${probe.container.split(',')[0]} cannot be taken over`;
  if (hidesFrames(video)) yield 'an edit list hides a part of it, which a copy would carry along';
  const bits = videoBits(probe, video);
  const cap = bitCap(video, wish.maxBitrate);
  if (bits === null) yield 'its bitrate is not known';
  else if (bits > cap) yield `its ${kilobits(bits)} are above ${kilobits(cap)}`;
}

/**
 * Options of a copied picture. Camcorders write the place of the recording into the messages beside the frames (SEI of
 * H.264 and HEVC, metadata units of AV1); nothing of them is needed to play it. Apple wants HEVC to be called `hvc1`.
 */
export function copyOptions(codec: PictureCodec): StreamOptions {
  const units = { h264: '6', hevc: '39|40', av1: '5', vp9: null }[codec];
  return {
    c: 'copy',
    ...(units !== null && { bsf: `filter_units=remove_types=${units}` }),
    ...(codec === 'hevc' && { tag: 'hvc1' }),
  };
}

export function audioVerdict(
  probe: MediaProbe,
  audio: AudioStream,
  wish: Pick<CopyWish, 'format' | 'encode' | 'trimmed'>,
): Verdict {
  const first = audioReasons(probe, audio, wish).next();
  if (!first.done) return no(first.value);
  const bits = audio.bitRate === null ? '' : ` ${kilobits(audio.bitRate)}`;
  return yes(`${codecName(audio.codec)}${bits}, ${channelName(audio.channels)} is web-ready`);
}

function* audioReasons(
  probe: MediaProbe,
  audio: AudioStream,
  wish: Pick<CopyWish, 'format' | 'encode' | 'trimmed'>,
): Generator<string, void> {
  const wanted = wish.format === 'mp4' ? ['aac'] : ['opus', 'vorbis'];
  if (wish.encode === 'always') yield 'encoding was asked for';
  if (wish.trimmed) yield 'a cut needs new samples';
  if (!wanted.includes(audio.codec)) {
    yield `it is ${codecName(audio.codec)}, not ${wanted.map(codecName).join(' or ')}`;
  }
  if (audio.channels > 2) yield `${channelName(audio.channels)} become stereo`;
  if (wish.format === 'mp4' && !AAC_PROFILES.has(audio.profile ?? '')) {
    yield `its profile is ${audio.profile ?? 'unknown'}`;
  }
  if (audio.sampleRate === null || audio.sampleRate > 48_000) yield 'its sample rate is above 48 kHz';
  if (!containerFits(probe)) yield `timestamps of ${probe.container.split(',')[0]} cannot be taken over`;
  if (hidesSound(audio)) yield 'an edit list hides a part of it, which a copy would carry along';
  if ((audio.bitRate ?? 0) > MAX_AUDIO_BITS) {
    yield `its ${kilobits(audio.bitRate ?? 0)} are above ${kilobits(MAX_AUDIO_BITS)}`;
  }
}

/**
 * People cut a video on the phone and send it: the cut is an edit list, and what they cut off is still in the file.
 * A copy would publish it. Then there are more frames than the duration has room for.
 */
function hidesFrames({ frames, durationSeconds, fps, baseFps }: VideoStream): boolean {
  if (frames === null || durationSeconds === null || (fps === null && baseFps === null)) return false;
  // The mean is by some versions taken over the shown part alone, which would hide what is looked for.
  const rate = Math.min(fps ?? Infinity, baseFps ?? Infinity);
  return frames > durationSeconds * rate * 1.02 + 3;
}

export function hidesSound({ codec, frames, durationSeconds, sampleRate, profile }: AudioStream): boolean {
  if (codec !== 'aac' || frames === null || durationSeconds === null || sampleRate === null) return false;
  const samples = profile === 'LC' ? AAC_SAMPLES : 2 * AAC_SAMPLES;
  // Two frames of lead-in are normal and hold nothing.
  return ((frames - 3) * samples) / sampleRate > durationSeconds * 1.02;
}

function containerFits({ container }: MediaProbe): boolean {
  return container.split(',').some((name) => COPYABLE_CONTAINERS.includes(name));
}

/** Bits per second; the whole file's where the stream does not say: at least it is not more. */
function videoBits(probe: MediaProbe, video: VideoStream): number | null {
  return video.bitRate ?? probe.bitRate;
}

function bitCap(video: VideoStream, maxBitrate: number | null): number {
  if (maxBitrate !== null) return maxBitrate * 1000;
  const frames = Math.min(video.fps ?? 30, 60);
  return Math.max(ALWAYS_FINE_BITS, video.width * video.height * frames * MAX_BITS_PER_PIXEL);
}

function kilobits(bits: number): string {
  return `${Math.round(bits / 1000)} kb/s`;
}

function yes(why: string): Verdict {
  return { copy: true, why };
}
function no(why: string): Verdict {
  return { copy: false, why };
}
