// Settings of the encoders: from quality and effort to FFmpeg's options. Numbers are printed from numbers.

import type { AudioStream } from '../media-probe.ts';
import type { StreamOptions } from '../video-operation.ts';
import { hardwareEncoder, hardwareSettings } from './hardware.ts';
import type { Hardware } from './hardware.ts';
import { channelName, codecName } from './names.ts';

export const PICTURE_CODECS = ['h264', 'hevc', 'av1', 'vp9'] as const;
/** As ffprobe calls them too. */
export type PictureCodec = (typeof PICTURE_CODECS)[number];
export type Effort = 'fast' | 'balanced' | 'small';

export interface PictureWish {
  readonly codec: PictureCodec;
  /** 1–100. */
  readonly quality?: number | undefined;
  /** The encoder's own scale. */
  readonly crf?: number | undefined;
  /** Kilobits per second. */
  readonly maxBitrate?: number | undefined;
  readonly effort: Effort;
  /** A kind that is there and has the codec: see `hardwareFor`. */
  readonly hardware?: Hardware | null | undefined;
  /** Closed groups of pictures, all of so many frames. */
  readonly gop?: { readonly frames: number } | undefined;
}

export interface PictureEncoding {
  /** FFmpeg's name of the encoder. */
  readonly encoder: string;
  readonly options: StreamOptions;
  /** They come after all other filters, overlays too. */
  readonly filters: readonly string[];
  /** Options of the whole command. */
  readonly global: readonly string[];
}

const DEFAULT_QUALITY = 75;

interface Software {
  readonly encoder: string;
  /** Worst CRF; the best is 1. */
  readonly worst: number;
  /** From quality 1–100, unrounded. */
  readonly crf: (quality: number) => number;
  options(wish: PictureWish, crf: number): StreamOptions;
}

const SOFTWARE: { readonly [Codec in PictureCodec]: Software } = {
  // For every player. 75 is x264's own default of 23.
  h264: {
    encoder: 'libx264',
    worst: 51,
    crf: (quality) => 48 - quality / 3,
    options: ({ effort, maxBitrate, gop }, crf) => ({
      c: 'libx264',
      preset: { fast: 'veryfast', balanced: 'medium', small: 'slow' }[effort],
      crf: `${crf}`,
      ...cap(maxBitrate),
      profile: 'high',
      pix_fmt: 'yuv420p',
      ...(gop && { g: `${gop.frames}`, keyint_min: `${gop.frames}`, sc_threshold: '0', flags: '+cgop' }),
    }),
  },
  // 75 is 26, which looks like x264's 23. Players of Apple want the tag; libx265 ignores FFmpeg's own words for groups.
  hevc: {
    encoder: 'libx265',
    worst: 51,
    crf: (quality) => 51 - quality / 3,
    options: ({ effort, maxBitrate, gop }, crf) => ({
      c: 'libx265',
      preset: { fast: 'veryfast', balanced: 'medium', small: 'slow' }[effort],
      crf: `${crf}`,
      ...cap(maxBitrate),
      profile: 'main',
      pix_fmt: 'yuv420p',
      tag: 'hvc1',
      'x265-params':
        gop === undefined
          ? 'log-level=error'
          : `log-level=error:keyint=${gop.frames}:min-keyint=${gop.frames}:scenecut=0:no-open-gop=1`,
    }),
  },
  // 75 is 33; SVT's own default is 35. With the most of bits it is "capped CRF".
  av1: {
    encoder: 'libsvtav1',
    worst: 63,
    crf: (quality) => 66 - quality * 0.44,
    options: ({ effort, maxBitrate, gop }, crf) => ({
      c: 'libsvtav1',
      preset: { fast: '10', balanced: '8', small: '5' }[effort],
      crf: `${crf}`,
      ...cap(maxBitrate),
      pix_fmt: 'yuv420p',
      ...(gop && { g: `${gop.frames}`, flags: '+cgop', 'svtav1-params': 'scd=0' }),
    }),
  },
  // 75 is 31, which Google names for 1080p. With a bitrate, libvpx takes that as the most and crf as the aim.
  vp9: {
    encoder: 'libvpx-vp9',
    worst: 63,
    crf: (quality) => 62.5 - quality * 0.42,
    options: ({ effort, maxBitrate, gop }, crf) => ({
      c: 'libvpx-vp9',
      deadline: 'good',
      'cpu-used': { fast: '5', balanced: '4', small: '2' }[effort],
      'row-mt': '1',
      'tile-columns': '2',
      crf: `${crf}`,
      b: maxBitrate === undefined ? '0' : `${maxBitrate}k`,
      pix_fmt: 'yuv420p',
      ...(gop && { g: `${gop.frames}`, keyint_min: `${gop.frames}` }),
    }),
  },
};

/** How a picture is to be encoded. */
export function pictureOptions(wish: PictureWish): PictureEncoding {
  const { codec, quality = DEFAULT_QUALITY, effort, maxBitrate, gop, hardware = null } = wish;
  const software = SOFTWARE[codec];
  const crf = wish.crf ?? Math.max(1, Math.min(software.worst, Math.round(software.crf(quality))));
  if (hardware === null) {
    return { encoder: software.encoder, options: software.options(wish, crf), filters: [], global: [] };
  }
  const encoder = hardwareEncoder(hardware, codec);
  if (encoder === null) throw new Error(`${hardware} was planned for ${codec}, which it cannot encode`);
  const scale = wish.crf === undefined ? quality : qualityOf(software, wish.crf);
  const settings = hardwareSettings(hardware, { codec, crf, quality: scale, effort, maxBitrate, gop });
  return { ...settings, encoder, options: { c: encoder, ...settings.options } };
}

/** Bounds of the codec's CRF. */
export function crfBounds(codec: PictureCodec): { readonly min: number; readonly max: number } {
  return { min: 1, max: SOFTWARE[codec].worst };
}

/** The quality whose CRF is nearest. */
function qualityOf({ crf }: Software, wanted: number): number {
  const slope = (crf(100) - crf(1)) / 99;
  return Math.max(1, Math.min(100, Math.round(1 + (wanted - crf(1)) / slope)));
}

function cap(maxBitrate: number | undefined): StreamOptions {
  return maxBitrate === undefined ? {} : { maxrate: `${maxBitrate}k`, bufsize: `${2 * maxBitrate}k` };
}

export interface SoundEncoding {
  /** As ffprobe calls the result. */
  readonly codec: string;
  readonly encoder: string;
  /** For people. */
  readonly name: string;
  readonly options: StreamOptions;
}

export function aac(source: Pick<AudioStream, 'channels'>): SoundEncoding {
  return sound('aac', 'aac', 64, source);
}

export function opus(source: Pick<AudioStream, 'channels'>): SoundEncoding {
  return sound('opus', 'libopus', 48, source);
}

/** More than two channels are mixed down to stereo, mono stays mono. Bits per channel in thousands. */
function sound(
  codec: string,
  encoder: string,
  kilobitsPerChannel: number,
  source: Pick<AudioStream, 'channels'>,
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

/**
 * What sound to be encoded goes through. Holes are filled with silence, and it begins where the picture does: else it
 * drifts away from it. More channels than two are mixed as ITU-R BS.775 says: centre and surrounds 3 dB down, the
 * effects channel dropped, and all of it lowered so that no sample can clip, which FFmpeg leaves out for decimal samples.
 */
export function soundFilters({ channels }: Pick<AudioStream, 'channels'>): string[] {
  const steady = 'aresample=async=1:first_pts=0';
  if (channels <= 2) return [steady];
  return [
    `${steady}:clev=0.707107:slev=0.707107:lfe_mix_level=0:rematrix_maxval=1`,
    'aformat=channel_layouts=stereo',
  ];
}
