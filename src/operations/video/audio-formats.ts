// Formats of sound files: their containers, encoders and rates, and what may be copied into them.

import type { AudioStream } from '../media-probe.ts';
import type { Source, StreamOptions } from '../video-operation.ts';
import { hidesSound } from './copy-rules.ts';
import { channelName, codecName } from './names.ts';

export type SoundFormat = 'aac' | 'mp3' | 'opus' | 'flac' | 'wav';

/** Those that MP3 knows (ISO/IEC 11172-3, 13818-3 and its half rates); AAC has them all too. */
export const SOUND_RATES = [8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000] as const;

interface FormatFacts {
  /** As ffprobe calls it. */
  readonly codec: string;
  readonly encoder: string;
  readonly extension: string;
  readonly mediaType: string;
  readonly muxer: readonly string[];
  readonly rates: readonly number[];
  readonly lossless: boolean;
  /** Kilobits per second: usual and most for a channel. */
  readonly usual: number;
  readonly most: number;
}

const LOSSLESS = { rates: SOUND_RATES, lossless: true, usual: 0, most: 0 } as const;

export const SOUND_FORMATS: { readonly [Format in SoundFormat]: FormatFacts } = {
  aac: {
    codec: 'aac',
    encoder: 'aac',
    extension: 'm4a',
    mediaType: 'audio/mp4',
    muxer: ['-movflags', '+faststart', '-f', 'ipod'],
    rates: SOUND_RATES,
    lossless: false,
    usual: 64,
    most: 288,
  },
  mp3: {
    codec: 'mp3',
    encoder: 'libmp3lame',
    extension: 'mp3',
    mediaType: 'audio/mpeg',
    muxer: ['-f', 'mp3'],
    rates: SOUND_RATES,
    lossless: false,
    usual: 64,
    most: 320,
  },
  opus: {
    codec: 'opus',
    encoder: 'libopus',
    extension: 'opus',
    mediaType: 'audio/ogg',
    muxer: ['-f', 'ogg'],
    // RFC 6716, 2.
    rates: [8000, 12_000, 16_000, 24_000, 48_000],
    lossless: false,
    usual: 48,
    most: 256,
  },
  flac: {
    codec: 'flac',
    encoder: 'flac',
    extension: 'flac',
    mediaType: 'audio/flac',
    muxer: ['-f', 'flac'],
    ...LOSSLESS,
  },
  wav: {
    codec: 'pcm_s16le',
    encoder: 'pcm_s16le',
    extension: 'wav',
    mediaType: 'audio/wav',
    // Past 4 GiB its own lengths have no room.
    muxer: ['-rf64', 'auto', '-f', 'wav'],
    ...LOSSLESS,
  },
};

/** Codecs that hold more than 16 bits of a sample, or may: FLAC keeps 24 of them. */
const DEEP = /^(?:pcm_[sf](?:24|32|64)|pcm_bluray|pcm_dvd|flac|alac|truehd|mlp|s302m|dts|dca)/;

export interface SoundWish {
  readonly format: SoundFormat;
  /** Kilobits per second. */
  readonly bitrate: number | undefined;
  readonly sampleRate: number | undefined;
  readonly channels: number;
}

export interface SoundSettings {
  readonly encoder: string;
  /** For people. */
  readonly name: string;
  readonly options: StreamOptions;
  readonly decisions: readonly string[];
}

/** How a track is encoded. `preferredRate`: where none was asked for, and the format has it. */
export function soundSettings(
  wish: SoundWish,
  track: AudioStream,
  preferredRate: number | null,
): SoundSettings {
  const { format, bitrate, channels } = wish;
  const facts = SOUND_FORMATS[format];
  const rate = wish.sampleRate ?? preferredRate ?? rateFor(facts, track);
  const base = { c: facts.encoder, ac: `${channels}`, ar: `${rate}` };
  const about = `${channelName(channels)}, ${rate / 1000} kHz`;
  if (facts.lossless) {
    const deep = format === 'flac' && DEEP.test(track.codec);
    return {
      encoder: facts.encoder,
      name: `${format === 'wav' ? 'WAV' : 'FLAC'} of ${deep ? 24 : 16} bits, ${about}`,
      options: { ...base, ...(format === 'flac' && { sample_fmt: deep ? 's32' : 's16' }) },
      decisions: [],
    };
  }
  const most = facts.most * channels;
  const wanted = bitrate ?? facts.usual * channels;
  const kilobits = Math.min(wanted, most);
  return {
    encoder: facts.encoder,
    name: `${codecName(facts.codec)} ${kilobits} kb/s, ${about}`,
    options: { ...base, b: `${kilobits}k` },
    decisions:
      kilobits < wanted
        ? [`${kilobits} kb/s instead of ${wanted}: it is the most for ${channelName(channels)}`]
        : [],
  };
}

/** The source's own where the format has it, or the next that loses nothing, but at most 48 kHz. */
function rateFor({ codec, rates }: FormatFacts, { sampleRate }: AudioStream): number {
  // Opus plays at 48 kHz whatever it was given.
  if (sampleRate === null || codec === 'opus') return 48_000;
  return rates.find((rate) => rate >= sampleRate) ?? 48_000;
}

/** Demuxers whose timestamps can be taken over. */
const COPYABLE = new Set(['mov', 'matroska', 'webm', 'mpegts', 'mp3', 'aac', 'flac', 'wav', 'ogg']);
const AAC_PROFILES = new Set(['LC', 'HE-AAC', 'HE-AACv2']);

/** Why a track cannot be copied into a format, the plainest first; nothing if it can. */
export function* soundReasons(
  { probe }: Pick<Source, 'probe'>,
  track: AudioStream,
  { format, bitrate, sampleRate, channels }: SoundWish,
): Generator<string, void> {
  const { codec, rates } = SOUND_FORMATS[format];
  if (track.codec !== codec) {
    yield `it is ${codecName(track.codec)}`;
    return;
  }
  if (track.channels !== channels) yield `${channelName(track.channels)} mixed to ${channelName(channels)}`;
  if (sampleRate !== undefined && sampleRate !== track.sampleRate)
    yield `its sample rate is ${track.sampleRate} Hz`;
  const isUsual =
    track.sampleRate !== null && (format === 'wav' || format === 'flac' || rates.includes(track.sampleRate));
  if (!isUsual) yield `its sample rate is ${track.sampleRate ?? 'unknown'}`;
  if (bitrate !== undefined && (track.bitRate === null || track.bitRate > bitrate * 1050)) {
    yield track.bitRate === null
      ? 'its bitrate is not known'
      : `its ${Math.round(track.bitRate / 1000)} kb/s are above ${bitrate}`;
  }
  if (format === 'aac' && !AAC_PROFILES.has(track.profile ?? ''))
    yield `its profile is ${track.profile ?? 'unknown'}`;
  const demuxers = probe.container.split(',');
  if (!demuxers.some((name) => COPYABLE.has(name))) yield `timestamps of ${demuxers[0]} cannot be taken over`;
  // Of AAC the count of frames gives it away; of the others nothing does.
  const mayHide = demuxers.includes('mov') && format !== 'aac';
  if (mayHide) yield 'an edit list might hide a part of it';
  if (hidesSound(track)) yield 'an edit list hides a part of it, which a copy would carry along';
}
