// The tracks that an initialization segment announces (ISO/IEC 14496-12, clause 8).

import { boxAt, boxes, findBox, fourCharacters } from './boxes.ts';
import { readPictureEntry } from './picture-entry.ts';
import type { PictureEntry } from './picture-entry.ts';
import { readSoundEntry } from './sound-entry.ts';
import type { SoundEntry } from './sound-entry.ts';

/** What a fragment's samples are where it does not say (ISO/IEC 14496-12, 8.8.3). */
export interface SampleDefaults {
  /** In units of the track's timescale. */
  readonly duration: number;
  /** Bytes. */
  readonly size: number;
  readonly flags: number;
}

interface AnyTrack {
  readonly id: number;
  /** Units per second. */
  readonly timescale: number;
  readonly defaults: SampleDefaults;
  /**
   * What the edit list adds to every time of the track, in units of its timescale. Negative where it takes away what
   * reordered pictures and the lead-in of sound have put before the beginning.
   */
  readonly shift: number;
}

export type VideoTrack = AnyTrack & PictureEntry & { readonly kind: 'video' };
export type AudioTrack = AnyTrack & SoundEntry & { readonly kind: 'audio' };
export type Track = VideoTrack | AudioTrack;

/** Video and audio tracks; others are passed over. Throws RangeError for what cannot be read. */
export function readTracks(view: DataView): Track[] {
  const movie = boxAt(view, 'moov');
  const movieTimescale = timescaleOf(boxAt(movie, 'mvhd'));
  const mvex = findBox(movie, 'mvex');
  const defaults = mvex === undefined ? new Map<number, SampleDefaults>() : defaultsOf(mvex);
  const tracks: Track[] = [];
  for (const { type, body } of boxes(movie)) {
    const track = type === 'trak' ? readTrack(body, movieTimescale, defaults) : null;
    if (track !== null) tracks.push(track);
  }
  return tracks;
}

function readTrack(
  trak: DataView,
  movieTimescale: number,
  defaults: ReadonlyMap<number, SampleDefaults>,
): Track | null {
  const handler = fourCharacters(boxAt(trak, 'mdia', 'hdlr'), 8);
  if (handler !== 'vide' && handler !== 'soun') return null;
  const header = boxAt(trak, 'tkhd');
  const id = header.getUint32(isLong(header) ? 20 : 12);
  const timescale = timescaleOf(boxAt(trak, 'mdia', 'mdhd'));
  const [entry] = boxes(boxAt(trak, 'mdia', 'minf', 'stbl', 'stsd'), 8);
  if (entry === undefined) throw new RangeError('there is no sample entry');
  const track = {
    id,
    timescale,
    defaults: defaults.get(id) ?? { duration: 0, size: 0, flags: 0 },
    shift: shiftOf(trak, timescale, movieTimescale),
  };
  return handler === 'vide'
    ? { kind: 'video', ...track, ...readPictureEntry(entry) }
    : { kind: 'audio', ...track, ...readSoundEntry(entry) };
}

/** Version 1 of a box has its times in 64 bits. */
function isLong(fullBox: DataView): boolean {
  return fullBox.getUint8(0) === 1;
}

/** Of `mvhd` and `mdhd`, which begin alike. */
function timescaleOf(header: DataView): number {
  const timescale = header.getUint32(isLong(header) ? 20 : 12);
  if (timescale === 0) throw new RangeError('a timescale of 0');
  return timescale;
}

function defaultsOf(mvex: DataView): Map<number, SampleDefaults> {
  const defaults = new Map<number, SampleDefaults>();
  for (const { type, body } of boxes(mvex)) {
    if (type !== 'trex') continue;
    defaults.set(body.getUint32(4), {
      duration: body.getUint32(12),
      size: body.getUint32(16),
      flags: body.getUint32(20),
    });
  }
  return defaults;
}

/** Empty time before the first edit that shows something, less where that edit begins (ISO/IEC 14496-12, 8.6.6). */
function shiftOf(trak: DataView, timescale: number, movieTimescale: number): number {
  const edits = findBox(trak, 'edts');
  const list = edits === undefined ? undefined : findBox(edits, 'elst');
  if (list === undefined) return 0;
  const long = isLong(list);
  const count = list.getUint32(4);
  let empty = 0;
  for (let i = 0; i < count; i++) {
    const at = 8 + i * (long ? 20 : 12);
    const length = long ? Number(list.getBigUint64(at)) : list.getUint32(at);
    const from = long ? Number(list.getBigInt64(at + 8)) : list.getInt32(at + 4);
    if (from >= 0) return Math.round((empty * timescale) / movieTimescale) - from;
    empty += length;
  }
  return 0;
}
