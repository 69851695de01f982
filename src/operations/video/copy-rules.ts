// Which streams are web-ready as they are: those are copied, which costs next to nothing and loses nothing.

import { mainAudio, mainVideo } from '../media-probe.ts';
import type { AudioStream, MediaProbe, VideoStream } from '../media-probe.ts';
import type { Size } from '../video-operation.ts';
import { hasSquarePixels, shownSize } from './geometry.ts';

export type WebFormat = 'mp4' | 'webm';

/** What a transcode asks for, as far as copying is concerned. */
export interface CopyWish {
  readonly format: WebFormat;
  readonly encode: 'auto' | 'always';
  /** The size that the box gives. */
  readonly final: Size;
  /** A quality was asked for: only encoding can give it. */
  readonly quality: boolean;
  /** Kilobits per second. */
  readonly maxBitrate: number | null;
  readonly fps: number | null;
  readonly trimmed: boolean;
}

export interface Verdict {
  readonly copy: boolean;
  /** A half sentence: why, or why not. */
  readonly why: string;
}

/** Containers whose timestamps can be taken over. AVI has none of its own, GIF no such codecs. */
const COPYABLE_CONTAINERS = ['mov', 'mp4', 'matroska', 'webm', 'mpegts'];
const H264_PROFILES = new Set(['Constrained Baseline', 'Baseline', 'Main', 'High']);
const AAC_PROFILES = new Set(['LC', 'HE-AAC', 'HE-AACv2']);
/** H.264 levels that browsers and phones decode: 5.2 is 4K at 60 frames. */
const H264_MAX_LEVEL = 52;
/** Bits per pixel and frame that are plenty for H.264 on the web; and what even a small picture may have per second. */
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
  const wanted = wish.format === 'mp4' ? 'h264' : 'vp9';
  if (wish.encode === 'always') yield 'encoding was asked for';
  if (video.codec !== wanted) yield `it is ${codecName(video.codec)}, not ${codecName(wanted)}`;
  if (wish.trimmed) yield 'a cut between keyframes needs new frames';
  const shown = shownSize(video);
  // An odd side is no reason: what is copied keeps it.
  if (Math.abs(shown.width - wish.final.width) > 1 || Math.abs(shown.height - wish.final.height) > 1) {
    yield `it is ${shown.width}×${shown.height}, wanted is ${wish.final.width}×${wish.final.height}`;
  }
  if (wish.fps !== null) yield `wanted are ${wish.fps} frames per second`;
  if (wish.quality) yield 'a quality was asked for';
  if (video.pixelFormat !== 'yuv420p') yield `its pixels are ${video.pixelFormat ?? 'unknown'}, not yuv420p`;
  if (wish.format === 'mp4') {
    if (!H264_PROFILES.has(video.profile ?? '')) yield `its profile is ${video.profile ?? 'unknown'}`;
    if (video.level === null || video.level > H264_MAX_LEVEL) yield 'its level is above 5.2';
  } else {
    if (video.profile !== 'Profile 0') yield `its profile is ${video.profile ?? 'unknown'}`;
    // Unlike MP4, WebM has no place for it that players look at.
    if (video.rotation !== 0) yield 'WebM cannot carry its rotation';
  }
  if (video.interlaced) yield 'it is interlaced';
  if (!hasSquarePixels(video)) yield 'its pixels are not square';
  if (!containerFits(probe)) yield `timestamps of ${probe.container.split(',')[0]} cannot be taken over`;
  if (hidesFrames(video)) yield 'an edit list hides a part of it, which a copy would carry along';
  const bits = videoBits(probe, video);
  const cap = bitCap(video, wish.maxBitrate);
  if (bits === null) yield 'its bitrate is not known';
  else if (bits > cap) yield `its ${kilobits(bits)} are above ${kilobits(cap)}`;
}

export function audioVerdict(
  probe: MediaProbe,
  wish: Pick<CopyWish, 'format' | 'encode' | 'trimmed'>,
): Verdict {
  const audio = mainAudio(probe);
  if (audio === null) return no('there is no sound');
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

function hidesSound({ codec, frames, durationSeconds, sampleRate, profile }: AudioStream): boolean {
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

const NAMES: Readonly<Record<string, string>> = {
  h264: 'H.264',
  hevc: 'HEVC',
  vp8: 'VP8',
  vp9: 'VP9',
  av1: 'AV1',
  aac: 'AAC',
  opus: 'Opus',
  vorbis: 'Vorbis',
  mp3: 'MP3',
};
export function codecName(codec: string): string {
  return NAMES[codec] ?? codec;
}

export function channelName(channels: number): string {
  return channels === 1 ? 'mono' : channels === 2 ? 'stereo' : `${channels} channels`;
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
