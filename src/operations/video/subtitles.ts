// Subtitles of a transcode: kept as text beside the video, or drawn into it.

import { Problem } from '../../problems.ts';
import type { SubtitleStream } from '../media-probe.ts';
import { FOLDER } from '../video-operation.ts';
import type { Overlay, Piece, Size, Source, Window } from '../video-operation.ts';
import { sameLanguage } from './tracks.ts';
import type { TrackWish } from './tracks.ts';

/** FFmpeg's names of subtitles that are text, and of those that are pictures. */
const TEXT = new Set(['subrip', 'srt', 'ass', 'ssa', 'mov_text', 'webvtt', 'text']);
const DRAWN = new Set(['hdmv_pgs_subtitle', 'dvd_subtitle', 'dvb_subtitle', 'xsub']);

const MAX_KEPT = 8;
const MAX_BYTES = 16_000_000;
const BURNED_FILE = 'burned.vtt';

export interface Kept {
  readonly pieces: readonly Piece[];
  readonly encoders: readonly string[];
  readonly decisions: readonly string[];
}

/** Each track of text as a WebVTT file, with the cues of the window. */
export function keptSubtitles({ probe }: Source, window: Window): Kept {
  const texts = probe.subtitles.filter(({ codec }) => TEXT.has(codec));
  const kept = texts.slice(0, MAX_KEPT);
  const others = probe.subtitles.length - texts.length;
  const names = namesOf(kept);
  return {
    pieces: kept.map((track, index) => ({
      ...textPiece(track, `subtitles.${names[index]}.vtt`, probe.durationSeconds),
      // FFmpeg moves the cues of a cut by other amounts than picture and sound, and keeps those after its end.
      ...((window.start > 0 || window.end !== null) && { cut: window }),
    })),
    encoders: kept.length > 0 ? ['webvtt'] : [],
    decisions: [
      ...(probe.subtitles.length === 0 ? ['no subtitles: the source has none'] : []),
      ...(kept.length > 0 ? [`subtitles kept as WebVTT: ${names.join(', ')}`] : []),
      ...(texts.length > MAX_KEPT
        ? [`${texts.length - MAX_KEPT} tracks of subtitles left out: ${MAX_KEPT} is the most`]
        : []),
      ...(others > 0 ? [`${others} of the subtitles left out: they are pictures, not text`] : []),
    ],
  };
}

/** The language, or the number of the track among those kept where that is unknown or taken. */
function namesOf(tracks: readonly SubtitleStream[]): string[] {
  const taken = new Set<string>();
  return tracks.map(({ language }, index) => {
    const name = language === null || taken.has(language) ? `${index + 1}` : language;
    taken.add(name);
    return name;
  });
}

/** WebVTT has a beginning of its own, so the file is one even without a line; and styles of the source stay out of it. */
function textPiece({ index }: SubtitleStream, file: string, durationSeconds: number | null): Piece {
  return {
    file,
    mediaType: 'text/vtt; charset=utf-8',
    streams: [{ kind: 'subtitle', source: index, options: { c: 'webvtt' }, filters: [] }],
    muxer: ['-f', 'webvtt'],
    expects: { kind: 'text', video: null, audio: null, durationSeconds, durationIsExact: false },
    maxBytes: MAX_BYTES,
  };
}

/** How subtitles get into the picture. */
export interface Burned {
  readonly preparation: readonly Piece[];
  readonly filters: readonly string[];
  readonly overlays: readonly Overlay[];
  readonly encoders: readonly string[];
  readonly decision: string;
}

/**
 * One track drawn into the frames. Text is written as WebVTT first: a hostile file's fonts and styles never get to the
 * library that draws it. Pictures are laid over as they are. `scaled` is all of the picture, `final` the frame.
 */
export function burnedSubtitles(
  source: Source,
  wish: Exclude<TrackWish, 'all'> | undefined,
  window: Window,
  { scaled, final }: { readonly scaled: Size; readonly final: Size },
): Burned {
  const { track, name } = chooseSubtitle(source, wish ?? 'first');
  if (DRAWN.has(track.codec)) {
    const [x, y] = [(final.width - scaled.width) / 2, (final.height - scaled.height) / 2].map(Math.round);
    return {
      preparation: [],
      filters: [],
      overlays: [
        { from: track.index, filters: [`scale=${scaled.width}:${scaled.height}`], place: `x=${x}:y=${y}` },
      ],
      encoders: [],
      decision: `subtitles burned in: ${name}, which are pictures`,
    };
  }
  if (!TEXT.has(track.codec)) {
    throw new Problem(
      'encode_failed',
      `Subtitles of kind ${track.codec} cannot be burned in. Choose another track.`,
    );
  }
  if (!source.filters.has('subtitles')) {
    throw new Problem(
      'encoder_missing',
      'The server\'s FFmpeg cannot draw subtitles: it was built without libass. Ask for subtitles "keep".',
    );
  }
  // Frames of a cut begin at 0, but the subtitles were written with the times of the source.
  const shift = (sign: '+' | '-'): string[] =>
    window.start > 0 ? [`setpts=PTS${sign}${window.start.toFixed(3)}/TB`] : [];
  return {
    preparation: [textPiece(track, BURNED_FILE, source.probe.durationSeconds)],
    filters: [...shift('+'), `subtitles=filename=${FOLDER}/${BURNED_FILE}`, ...shift('-')],
    overlays: [],
    encoders: ['webvtt'],
    decision: `subtitles burned in: ${name}`,
  };
}

function chooseSubtitle(
  { probe: { subtitles } }: Source,
  wish: Exclude<TrackWish, 'all'>,
): { readonly track: SubtitleStream; readonly name: string } {
  const index =
    wish === 'first'
      ? 0
      : typeof wish === 'number'
        ? wish - 1
        : subtitles.findIndex(({ language }) => language !== null && sameLanguage(language, wish));
  const track = subtitles[index];
  if (track !== undefined)
    return { track, name: `track ${index + 1} (${track.language ?? 'language unknown'})` };
  const there = subtitles
    .map(({ language }, at) => `${at + 1} (${language ?? 'language unknown'})`)
    .join(', ');
  throw new Problem(
    'stream_missing',
    subtitles.length === 0
      ? 'The source has no subtitles to burn in. Leave `subtitles` out.'
      : `The source has no such track of subtitles. Its tracks are: ${there}.`,
  );
}
