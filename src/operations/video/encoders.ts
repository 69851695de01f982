// Settings of the encoders: from quality and effort to FFmpeg's options. Numbers are printed from numbers.

import type { AudioStream } from '../media-probe.ts';
import type { StreamOptions } from '../video-operation.ts';
import { channelName, codecName } from './copy-rules.ts';

export interface PictureWish {
  /** 1–100. */
  readonly quality?: number | undefined;
  readonly crf?: number | undefined;
  /** Kilobits per second. */
  readonly maxBitrate?: number | undefined;
  readonly effort: 'fast' | 'balanced' | 'small';
}

const DEFAULT_QUALITY = 75;

/** H.264 for every player. 75 is x264's own default of 23. */
export function h264({ quality = DEFAULT_QUALITY, crf, maxBitrate, effort }: PictureWish): StreamOptions {
  return {
    c: 'libx264',
    preset: { fast: 'veryfast', balanced: 'medium', small: 'slow' }[effort],
    crf: `${crf ?? Math.round(48 - quality / 3)}`,
    ...(maxBitrate !== undefined && { maxrate: `${maxBitrate}k`, bufsize: `${2 * maxBitrate}k` }),
    profile: 'high',
    pix_fmt: 'yuv420p',
  };
}

/** 75 is 31, which Google names for 1080p. With a bitrate, libvpx takes that as the most and crf as the aim. */
export function vp9({ quality = DEFAULT_QUALITY, crf, maxBitrate, effort }: PictureWish): StreamOptions {
  return {
    c: 'libvpx-vp9',
    deadline: 'good',
    'cpu-used': { fast: '5', balanced: '4', small: '2' }[effort],
    'row-mt': '1',
    'tile-columns': '2',
    crf: `${crf ?? Math.round(62.5 - quality * 0.42)}`,
    b: maxBitrate === undefined ? '0' : `${maxBitrate}k`,
    pix_fmt: 'yuv420p',
  };
}

export interface SoundEncoding {
  /** As ffprobe calls the result. */
  readonly codec: string;
  readonly encoder: string;
  /** For people. */
  readonly name: string;
  readonly options: StreamOptions;
}

export function aac(source: AudioStream): SoundEncoding {
  return sound('aac', 'aac', 64, source);
}

export function opus(source: AudioStream): SoundEncoding {
  return sound('opus', 'libopus', 48, source);
}

/** More than two channels are mixed down to stereo, mono stays mono. */
function sound(
  codec: string,
  encoder: string,
  kilobitsPerChannel: number,
  source: AudioStream,
): SoundEncoding {
  const channels = Math.min(source.channels, 2);
  const kilobits = kilobitsPerChannel * channels;
  return {
    codec,
    encoder,
    name: `${codecName(codec)} ${kilobits} kb/s, ${channelName(channels)}`,
    options: { c: encoder, b: `${kilobits}k`, ac: `${channels}`, ar: '48000' },
  };
}
