// The master playlist: which renditions there are, and what a player must know to choose (RFC 8216, 4.3.4).

import type { VideoRange } from '../../../lib/mp4/picture-entry.ts';
import type { Size } from '../../video-operation.ts';
import type { Rates } from './bit-rates.ts';
import { languageTag } from './languages.ts';
import { plainName, quoted, tagOf } from './tags.ts';

interface Rendition {
  /** Its media playlist: a plain name. */
  readonly uri: string;
}

interface Picture extends Rendition {
  /** As in RFC 6381. */
  readonly codec: string;
  readonly size: Size;
  /** Null where it is not known: players take it for SDR. */
  readonly range: VideoRange | null;
  /** Of its picture alone, without sound. */
  readonly rates: Rates;
}

export interface Variant extends Picture {
  readonly fps: number | null;
}

/** Sound beside the picture, one for each track; the first is the default. */
export interface AudioRendition extends Rendition {
  readonly codec: string;
  /** For a menu; different from all others. */
  readonly name: string;
  /** ISO 639, two or three letters. */
  readonly language: string | null;
  readonly channels: number;
  readonly rates: Rates;
}

export interface SubtitleRendition extends Rendition {
  readonly name: string;
  readonly language: string | null;
}

export interface MasterPlaylist {
  /** Any order. None where the source has sound only. */
  readonly variants: readonly Variant[];
  readonly audio: readonly AudioRendition[];
  readonly subtitles: readonly SubtitleRendition[];
  /** I-frame playlists. */
  readonly iframes: readonly Picture[];
}

/**
 * What a player takes first, before it has measured anything, is the variant that is listed first. Apple's authoring
 * specification names 2 Mbit/s for it: it starts at once on nearly every line and is no eyesore. The rest follows from
 * the best down.
 */
const FIRST_BITS = 2_000_000;

const AUDIO_GROUP = 'sound';
const SUBTITLE_GROUP = 'subtitles';

export function masterPlaylist({ variants, audio, subtitles, iframes }: MasterPlaylist): string {
  if (variants.length === 0 && audio.length === 0) throw new RangeError('there is nothing to list');
  const pictureless = variants.length === 0;
  // Sound alone is a variant itself. With one track there is nothing to choose, so no group.
  const grouped = pictureless && audio.length === 1 ? [] : audio;
  return [
    '#EXTM3U',
    '#EXT-X-VERSION:7',
    // Each segment begins with a keyframe, in all playlists.
    '#EXT-X-INDEPENDENT-SEGMENTS',
    ...grouped.map(audioTag),
    ...subtitles.map(subtitleTag),
    ...(pictureless
      ? soundVariant(audio, grouped, subtitles)
      : ordered(variants).flatMap((variant) => variantLines(variant, audio, subtitles))),
    ...ranked(iframes).map(iframeTag),
    '',
  ].join('\n');
}

function audioTag({ uri, name, language, channels }: AudioRendition, index: number): string {
  return tagOf('EXT-X-MEDIA', {
    TYPE: 'AUDIO',
    'GROUP-ID': quoted(AUDIO_GROUP),
    NAME: quoted(name),
    LANGUAGE: tagged(language),
    DEFAULT: index === 0 ? 'YES' : 'NO',
    AUTOSELECT: 'YES',
    CHANNELS: quoted(`${channels}`),
    URI: quoted(plainName(uri)),
  });
}

function subtitleTag({ uri, name, language }: SubtitleRendition): string {
  return tagOf('EXT-X-MEDIA', {
    TYPE: 'SUBTITLES',
    'GROUP-ID': quoted(SUBTITLE_GROUP),
    NAME: quoted(name),
    LANGUAGE: tagged(language),
    DEFAULT: 'NO',
    AUTOSELECT: 'YES',
    FORCED: 'NO',
    URI: quoted(plainName(uri)),
  });
}

function tagged(language: string | null): string | null {
  const tag = languageTag(language);
  return tag === null ? null : quoted(tag);
}

/** Rates are those of the dearest combination that can be played (RFC 8216, 4.3.4.2). */
function variantLines(
  { uri, codec, size, range, rates, fps }: Variant,
  audio: readonly AudioRendition[],
  subtitles: readonly SubtitleRendition[],
): string[] {
  const sound = dearest(audio);
  return [
    tagOf('EXT-X-STREAM-INF', {
      ...bandwidths({ peak: rates.peak + sound.peak, average: rates.average + sound.average }),
      CODECS: codecs([codec, ...audio.map((rendition) => rendition.codec)]),
      RESOLUTION: resolution(size),
      'FRAME-RATE': fps === null ? null : fps.toFixed(3),
      'VIDEO-RANGE': range,
      ...groups(audio, subtitles),
    }),
    plainName(uri),
  ];
}

function soundVariant(
  audio: readonly AudioRendition[],
  grouped: readonly AudioRendition[],
  subtitles: readonly SubtitleRendition[],
): string[] {
  return [
    tagOf('EXT-X-STREAM-INF', {
      ...bandwidths(dearest(audio)),
      CODECS: codecs(audio.map(({ codec }) => codec)),
      ...groups(grouped, subtitles),
    }),
    plainName(audio[0]?.uri ?? ''),
  ];
}

function iframeTag({ uri, codec, size, range, rates }: Picture): string {
  return tagOf('EXT-X-I-FRAME-STREAM-INF', {
    ...bandwidths(rates),
    CODECS: codecs([codec]),
    RESOLUTION: resolution(size),
    'VIDEO-RANGE': range,
    URI: quoted(plainName(uri)),
  });
}

function bandwidths({ peak, average }: Rates): Record<string, number> {
  return { BANDWIDTH: Math.ceil(peak), 'AVERAGE-BANDWIDTH': Math.ceil(average) };
}

function codecs(list: readonly string[]): string {
  return quoted([...new Set(list)].join(','));
}

function resolution({ width, height }: Size): string {
  return `${width}x${height}`;
}

function groups(
  audio: readonly AudioRendition[],
  subtitles: readonly SubtitleRendition[],
): Record<string, string | null> {
  return {
    AUDIO: audio.length === 0 ? null : quoted(AUDIO_GROUP),
    SUBTITLES: subtitles.length === 0 ? null : quoted(SUBTITLE_GROUP),
  };
}

function dearest(audio: readonly AudioRendition[]): Rates {
  return {
    peak: Math.max(0, ...audio.map(({ rates }) => rates.peak)),
    average: Math.max(0, ...audio.map(({ rates }) => rates.average)),
  };
}

function ranked<Item extends Picture>(pictures: readonly Item[]): Item[] {
  return pictures.toSorted((a, b) => b.rates.peak - a.rates.peak);
}

function ordered(variants: readonly Variant[]): Variant[] {
  const distance = ({ rates }: Variant): number => Math.abs(rates.average - FIRST_BITS);
  const rest = ranked(variants);
  const first = rest.reduce((best, variant) => (distance(variant) < distance(best) ? variant : best));
  return [first, ...rest.filter((variant) => variant !== first)];
}
