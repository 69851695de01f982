// What an FFmpeg can do, from what it prints about itself.

import { hash } from 'node:crypto';
import type { VideoCapabilities } from '../engine-contracts.ts';

/** Encoders that outputs ask for, and what there is not without them. */
const ENCODERS: Readonly<Record<string, string>> = {
  libx264: 'no MP4 can be encoded',
  aac: 'no MP4 can have encoded sound',
  'libvpx-vp9': 'no WebM can be encoded',
  libopus: 'no WebM can have encoded sound',
  mjpeg: 'no JPEG thumbnails',
  png: 'no PNG thumbnails',
  libwebp: 'no WebP thumbnails',
  libwebp_anim: 'no WebP previews',
  gif: 'no GIF previews',
  libx265: 'no HEVC can be encoded',
  libsvtav1: 'no AV1 can be encoded',
  libmp3lame: 'no MP3 can be made',
  flac: 'no FLAC can be made',
  pcm_s16le: 'no WAV and no waveforms',
  webvtt: 'no subtitles can be kept',
};
const FILTERS: Readonly<Record<string, string>> = {
  zscale: 'HDR sources come out pale',
  tonemap: 'HDR sources come out pale',
  bwdif: 'interlaced sources stay interlaced',
  thumbnail: 'no thumbnails',
  loudnorm: 'sound keeps its loudness',
  subtitles: 'no subtitles can be burned in',
  ssim: 'no quality can be aimed at by name',
};
const OLDEST = [5, 1] as const;

export interface Capabilities extends VideoCapabilities {
  readonly filters: ReadonlySet<string>;
  /** The same for the same builds of both programs and their libraries; null where one is not there. */
  readonly build: string | null;
}

/** What the four commands printed; null for one that cannot be run. */
export interface SelfDescription {
  /** `ffmpeg -version` */
  readonly ffmpeg: string | null;
  /** `ffprobe -version` */
  readonly ffprobe: string | null;
  /** `ffmpeg -encoders` */
  readonly encoders: string | null;
  /** `ffmpeg -filters` */
  readonly filters: string | null;
}

export function readCapabilities(told: SelfDescription): Capabilities {
  const ffmpeg = versionOf(told.ffmpeg);
  const ffprobe = versionOf(told.ffprobe);
  // ` V....D libx264   libx264 H.264 …`
  const encoders = names(told.encoders, /^ *[A-Z.|]{4,8} +([\w-]+) /gm);
  // ` .S. zscale   V->V   Apply …`, the flags two or three of them
  const filters = names(told.filters, /^ *[A-Z.|]{2,5} +(\w+) +\S*->\S* /gm);
  return {
    ffmpeg,
    ffprobe,
    encoders: Object.keys(ENCODERS).filter((name) => encoders.has(name)),
    filters,
    build: ffmpeg === null || ffprobe === null ? null : buildOf(told),
    missing: [
      ...(ffmpeg === null ? ['FFmpeg cannot be run: no video can be made'] : tooOld('FFmpeg', ffmpeg)),
      ...(ffprobe === null ? ['ffprobe cannot be run: no video can be made'] : tooOld('ffprobe', ffprobe)),
      ...(ffmpeg === null
        ? []
        : [...lacking('encoder', ENCODERS, encoders), ...lacking('filter', FILTERS, filters)]),
    ],
  };
}

function buildOf({ ffmpeg, ffprobe, encoders, filters }: SelfDescription): string {
  return hash('sha256', JSON.stringify([ffmpeg, ffprobe, encoders, filters])).slice(0, 16);
}

function names(text: string | null, row: RegExp): Set<string> {
  return new Set([...(text ?? '').matchAll(row)].map((match) => match[1] ?? ''));
}

/** `ffmpeg version n7.1.1-…`; a build from git calls itself `N-12345-gabcdef`. */
function versionOf(text: string | null): string | null {
  if (text === null) return null;
  const found = / version (\S{1,60})/.exec(text)?.[1];
  if (found === undefined) return null;
  return /^n?(\d+(?:\.\d+)*)/.exec(found)?.[1] ?? found;
}

function tooOld(name: string, version: string): string[] {
  const [major = Number.NaN, minor = 0] = version.split('.').map(Number);
  const isOld = major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]);
  return isOld ? [`${name} ${version} is older than ${OLDEST.join('.')}: it may fail`] : [];
}

function lacking(
  kind: string,
  wanted: Readonly<Record<string, string>>,
  found: ReadonlySet<string>,
): string[] {
  return Object.entries(wanted)
    .filter(([name]) => !found.has(name))
    .map(([name, without]) => `FFmpeg lacks the ${kind} ${name}: ${without}`);
}
