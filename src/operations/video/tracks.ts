// Which tracks of sound are meant: by number, by language, the first, or all of them.

import { z } from 'zod';
import { Problem } from '../../problems.ts';
import { looseNumber } from '../../lib/loose-scalar.ts';
import type { AudioStream, MediaProbe } from '../media-probe.ts';
import type { StreamOptions } from '../video-operation.ts';
import { languageTag } from './hls/languages.ts';

/** As many streams as a source may have. */
export const MAX_TRACKS = 16;

/** ISO 639, two or three letters, as the probe tells it. */
const language = (error: string) => z.string().regex(/^[a-z]{2,3}$/, error);
const trackNumber = looseNumber(z.int().min(1).max(MAX_TRACKS));
const SHAPE = `a language code such as "en" or "eng", or the number of a track from 1 to ${MAX_TRACKS}`;
const ONE_TRACK = `must be "first", ${SHAPE}`;
const SOME_TRACKS = `must be "first", "all", ${SHAPE}`;

/** One track: `first`, a language code, or its number as the probe lists them, from 1. */
export const trackField = z.union([z.literal('first'), trackNumber, language(ONE_TRACK)], {
  error: ONE_TRACK,
});
/** The same, or `all`. */
export const tracksField = z.union(
  [z.literal('first'), z.literal('all'), trackNumber, language(SOME_TRACKS)],
  { error: SOME_TRACKS },
);
export type TrackWish = z.output<typeof tracksField>;

/** Tracks that hold sound, in the order in which the probe lists them: track 1 is the first. */
export function soundTracks(probe: MediaProbe): readonly AudioStream[] {
  return probe.audio.filter(({ channels }) => channels > 0);
}

/**
 * The tracks that are meant. Empty only where the source has no sound at all; a number or language that is not there is
 * a Problem `stream_missing` that says what is.
 */
export function chooseTracks(probe: MediaProbe, wish: TrackWish): readonly AudioStream[] {
  const tracks = soundTracks(probe);
  if (tracks.length === 0 || wish === 'all') return tracks;
  const found =
    wish === 'first' ? tracks[0] : typeof wish === 'number' ? tracks[wish - 1] : inLanguage(tracks, wish);
  if (found !== undefined) return [found];
  const asked = typeof wish === 'number' ? `track ${wish}` : `track in the language "${wish}"`;
  const there = tracks
    .map((track, index) => `${index + 1} (${track.language ?? 'language unknown'})`)
    .join(', ');
  throw new Problem('stream_missing', `The source has no ${asked}. Its tracks of sound are: ${there}.`);
}

function inLanguage(tracks: readonly AudioStream[], wish: string): AudioStream | undefined {
  return tracks.find((track) => track.language !== null && sameLanguage(track.language, wish));
}

/** Says again in the result what language a track is in: all metadata of the source are taken away. */
export function languageLabel({ language: code }: Pick<AudioStream, 'language'>): StreamOptions {
  return code !== null && /^[a-z]{2,3}$/.test(code) ? { 'metadata:s': `language=${code}` } : {};
}

/** Files write `eng`, `ger` or `en`, and so do people: held together by the shortest code of each. */
export function sameLanguage(a: string, b: string): boolean {
  return a === b || (languageTag(a) !== null && languageTag(a) === languageTag(b));
}
