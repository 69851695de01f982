// Hardware that encodes video: which codecs each kind can have, and its settings as FFmpeg's options.

import { Problem } from '../../problems.ts';
import type { Source, StreamOptions } from '../video-operation.ts';
import { codecName } from './names.ts';

/** As clients ask for them. */
export const HARDWARE = ['vaapi', 'nvenc', 'qsv', 'videotoolbox'] as const;
export type Hardware = (typeof HARDWARE)[number];
export const HARDWARE_WORDS = ['off', 'auto', ...HARDWARE] as const;
export type HardwareWord = (typeof HARDWARE_WORDS)[number];

/** FFmpeg's names of the encoders, where a kind of hardware may have one for the codec. */
export const HARDWARE_ENCODERS = {
  vaapi: { h264: 'h264_vaapi', hevc: 'hevc_vaapi', av1: 'av1_vaapi', vp9: 'vp9_vaapi' },
  nvenc: { h264: 'h264_nvenc', hevc: 'hevc_nvenc', av1: 'av1_nvenc' },
  qsv: { h264: 'h264_qsv', hevc: 'hevc_qsv', av1: 'av1_qsv', vp9: 'vp9_qsv' },
  videotoolbox: { h264: 'h264_videotoolbox', hevc: 'hevc_videotoolbox' },
} as const satisfies Record<Hardware, Partial<Record<HardwareCodec, string>>>;

type HardwareCodec = 'h264' | 'hevc' | 'av1' | 'vp9';

/** The first graphics card of a Linux machine. */
export const VAAPI_DEVICE = '/dev/dri/renderD128';

/** What a hardware encoder is told. */
export interface HardwareWish {
  readonly codec: HardwareCodec;
  /** CRF of the software encoder that gives about the wanted quality. */
  readonly crf: number;
  /** The same wish on the scale of 1 (worst) to 100. */
  readonly quality: number;
  /** Kilobits per second. */
  readonly maxBitrate?: number | undefined;
  readonly effort: 'fast' | 'balanced' | 'small';
  readonly gop?: { readonly frames: number } | undefined;
}

export interface HardwareSettings {
  readonly options: StreamOptions;
  /** After all other filters. */
  readonly filters: readonly string[];
  /** For the whole command. */
  readonly global: readonly string[];
}

/** The encoder's name, or null where this kind of hardware has none for the codec. */
export function hardwareEncoder(hardware: Hardware, codec: string): string | null {
  const encoders: Readonly<Record<string, string>> = HARDWARE_ENCODERS[hardware];
  return encoders[codec] ?? null;
}

const SETTINGS: { readonly [Kind in Hardware]: (wish: HardwareWish) => HardwareSettings } = {
  // https://trac.ffmpeg.org/wiki/Hardware/VAAPI: frames go up to the card last.
  vaapi: ({ codec, crf, maxBitrate, gop }) => ({
    options: {
      ...(maxBitrate === undefined
        ? // Only H.264 and HEVC have an option of their own for it.
          {
            rc_mode: 'CQP',
            ...(usesQp(codec) ? { qp: `${crf}` } : { global_quality: `${quantiser(codec, crf)}` }),
          }
        : { rc_mode: 'VBR', ...bitrate(maxBitrate) }),
      ...profile(codec),
      ...(gop && { g: `${gop.frames}`, ...(usesQp(codec) && { idr_interval: '0' }) }),
    },
    filters: ['format=nv12', 'hwupload'],
    global: ['-vaapi_device', VAAPI_DEVICE],
  }),
  nvenc: ({ codec, crf, maxBitrate, effort, gop }) => ({
    options: {
      preset: { fast: 'p2', balanced: 'p4', small: 'p6' }[effort],
      rc: 'vbr',
      cq: `${Math.min(51, crf)}`,
      b: '0',
      ...(maxBitrate !== undefined && { maxrate: `${maxBitrate}k`, bufsize: `${2 * maxBitrate}k` }),
      ...profile(codec),
      pix_fmt: 'yuv420p',
      ...(gop && { g: `${gop.frames}`, 'no-scenecut': '1', 'forced-idr': '1', strict_gop: '1' }),
    },
    filters: [],
    global: [],
  }),
  qsv: ({ codec, crf, maxBitrate, effort, gop }) => ({
    options: {
      preset: { fast: 'veryfast', balanced: 'medium', small: 'slow' }[effort],
      ...(maxBitrate === undefined ? { global_quality: `${Math.min(51, crf)}` } : bitrate(maxBitrate)),
      ...profile(codec),
      pix_fmt: 'nv12',
      // Of HEVC each keyframe has to be told to be one that can be begun at.
      ...(gop && {
        g: `${gop.frames}`,
        flags: '+cgop',
        ...(codec === 'h264' && { idr_interval: '0' }),
        ...(codec === 'hevc' && { idr_interval: '1' }),
      }),
    },
    filters: [],
    global: [],
  }),
  // Constant quality only on Apple's own processors; 100 is best.
  videotoolbox: ({ codec, quality, maxBitrate, gop }) => ({
    options: {
      ...(maxBitrate === undefined ? { q: `${quality}` } : bitrate(maxBitrate)),
      ...profile(codec),
      pix_fmt: 'yuv420p',
      ...(gop && { g: `${gop.frames}`, flags: '+cgop' }),
    },
    filters: [],
    global: [],
  }),
};

export function hardwareSettings(hardware: Hardware, wish: HardwareWish): HardwareSettings {
  return SETTINGS[hardware](wish);
}

function usesQp(codec: HardwareCodec): boolean {
  return codec === 'h264' || codec === 'hevc';
}

/** VP9 and AV1 count their quantisers to 255, four for each step of a CRF. */
function quantiser(codec: HardwareCodec, crf: number): number {
  return usesQp(codec) ? crf : Math.min(255, crf * 4);
}

/** A mean below the most, since such encoders swing about it. Kilobits per second. */
function bitrate(most: number): StreamOptions {
  return { b: `${Math.round(most * 0.75)}k`, maxrate: `${most}k`, bufsize: `${2 * most}k` };
}

function profile(codec: HardwareCodec): StreamOptions {
  if (codec === 'h264') return { profile: 'high' };
  return codec === 'hevc' ? { profile: 'main', tag: 'hvc1' } : {};
}

/** Tried in this order where any will do. */
const PREFERRED: readonly Hardware[] = ['nvenc', 'qsv', 'videotoolbox', 'vaapi'];

/**
 * Which hardware encodes, or null for software. Throws Problem `encoder_missing` where one was named that is not there;
 * `auto` takes software then, and says so.
 */
export function chooseHardware(
  asked: HardwareWord,
  codec: HardwareCodec,
  { hardware: works }: Pick<Source, 'hardware'>,
): { readonly hardware: Hardware | null; readonly decisions: readonly string[] } {
  if (asked === 'off') return { hardware: null, decisions: [] };
  const able = PREFERRED.filter((kind) => works.has(hardwareEncoder(kind, codec) ?? ''));
  const chosen = asked === 'auto' ? able[0] : able.find((kind) => kind === asked);
  if (chosen !== undefined) return { hardware: chosen, decisions: [`encoded by hardware: ${chosen}`] };
  if (asked === 'auto') {
    return {
      hardware: null,
      decisions: [`encoded by software: no hardware here encodes ${codecName(codec)}`],
    };
  }
  const there = able.length === 0 ? 'none' : able.join(', ');
  throw new Problem(
    'encoder_missing',
    `${asked} does not encode ${codecName(codec)} on this server; hardware that does: ${there}. Ask for one of these, or for hardware "auto" or "off".`,
  );
}
