// The samples of a media segment, as its movie fragments describe them (ISO/IEC 14496-12, 8.8).

import { boxAt, boxes } from './boxes.ts';
import type { Box } from './boxes.ts';
import type { SampleDefaults, Track } from './init.ts';

/** Times and lengths are in units of the track's timescale, and positions in bytes of the segment. */
export interface Segment {
  /** Of its first sample. */
  readonly decodeTime: number;
  /** The earliest at which one of its samples is shown, the edit list applied: the first may be below 0. */
  readonly presentationTime: number;
  readonly duration: number;
  /** The same. */
  readonly seconds: number;
  readonly samples: number;
  /** A decoder can begin here. */
  readonly startsWithSync: boolean;
  /**
   * From the first fragment's header to the end of its first sample: what an I-frame playlist points at
   * (RFC 8216, 4.3.3.6).
   */
  readonly firstSample: { readonly offset: number; readonly length: number };
  /** Of all of it. */
  readonly bytes: number;
}

export type TrackOfSegment = Pick<Track, 'id' | 'timescale' | 'defaults' | 'shift'>;

const NOT_SYNC = 0x1_00_00;
/** Flags of `tfhd`. */
const HAS_BASE = 0x1;
const HAS_DESCRIPTION = 0x2;
const HAS_DURATION = 0x8;
const HAS_SIZE = 0x10;
const HAS_FLAGS = 0x20;
/** Flags of `trun`. */
const RUN_OFFSET = 0x1;
const RUN_FIRST_FLAGS = 0x4;
const RUN_DURATION = 0x100;
const RUN_SIZE = 0x200;
const RUN_FLAGS = 0x400;
const RUN_SHIFT = 0x800;

interface FirstSample {
  readonly fragment: Box;
  readonly at: number;
  readonly size: number;
  readonly flags: number;
}

/** Throws RangeError for what cannot be read. The work is bounded by the bytes, whatever they claim. */
export function readFragments(view: DataView, track: TrackOfSegment): Segment {
  const all = [...boxes(view)];
  let clock: number | null = null;
  let decodeTime = 0;
  let earliest = Infinity;
  let duration = 0;
  let samples = 0;
  let first: FirstSample | null = null;
  for (const fragment of all) {
    if (fragment.type !== 'moof') continue;
    for (const { type, body } of boxes(fragment.body)) {
      const header = type === 'traf' ? headerOf(body, fragment, track.defaults) : null;
      if (header === null || header.track !== track.id) continue;
      clock = decodeTimeOf(body) ?? clock;
      if (clock === null) throw new RangeError('a fragment without its time');
      if (samples === 0) decodeTime = clock;
      for (const { type: kind, body: trun } of boxes(body)) {
        if (kind !== 'trun') continue;
        const run = readRun(trun, header);
        if (run.samples === 0) continue;
        first ??= { fragment, at: header.base + run.offset, size: run.firstSize, flags: run.firstFlags };
        earliest = Math.min(earliest, clock + run.earliest);
        clock += run.duration;
        duration += run.duration;
        samples += run.samples;
      }
    }
  }
  if (first === null) throw new RangeError('there are no samples');
  const end = first.at + first.size;
  const holder = all.find(({ type, body }) => {
    const from = body.byteOffset - view.byteOffset;
    return type === 'mdat' && first.at >= from && end <= from + body.byteLength;
  });
  if (holder === undefined || holder.start < first.fragment.end) {
    throw new RangeError('the first sample does not lie in the data');
  }
  if (!Number.isSafeInteger(duration) || !Number.isSafeInteger(decodeTime + duration)) {
    throw new RangeError('times beyond what can be counted');
  }
  return {
    decodeTime,
    presentationTime: earliest + track.shift,
    duration,
    seconds: duration / track.timescale,
    samples,
    startsWithSync: (first.flags & NOT_SYNC) === 0,
    firstSample: { offset: first.fragment.start, length: end - first.fragment.start },
    bytes: view.byteLength,
  };
}

interface Header extends SampleDefaults {
  readonly track: number;
  /** What the offsets of its runs are counted from. */
  readonly base: number;
}

function headerOf(traf: DataView, fragment: Box, defaults: SampleDefaults): Header {
  const tfhd = boxAt(traf, 'tfhd');
  const flags = tfhd.getUint32(0) & 0xff_ff_ff;
  let at = 8;
  const next = (flag: number, otherwise: number): number => {
    if ((flags & flag) === 0) return otherwise;
    at += 4;
    return tfhd.getUint32(at - 4);
  };
  let base = fragment.start;
  if ((flags & HAS_BASE) !== 0) {
    base = Number(tfhd.getBigUint64(at));
    at += 8;
  }
  next(HAS_DESCRIPTION, 0);
  return {
    track: tfhd.getUint32(4),
    base,
    duration: next(HAS_DURATION, defaults.duration),
    size: next(HAS_SIZE, defaults.size),
    flags: next(HAS_FLAGS, defaults.flags),
  };
}

function decodeTimeOf(traf: DataView): number | null {
  for (const { type, body } of boxes(traf)) {
    if (type === 'tfdt') return body.getUint8(0) === 1 ? Number(body.getBigUint64(4)) : body.getUint32(4);
  }
  return null;
}

interface Run {
  readonly samples: number;
  readonly offset: number;
  readonly duration: number;
  readonly firstSize: number;
  readonly firstFlags: number;
  /** The earliest presentation of its samples, from its first sample's decode time on. */
  readonly earliest: number;
}

function readRun(trun: DataView, header: Header): Run {
  const flags = trun.getUint32(0) & 0xff_ff_ff;
  const signed = trun.getUint8(0) !== 0;
  const samples = trun.getUint32(4);
  let at = 8;
  const offset = (flags & RUN_OFFSET) === 0 ? 0 : trun.getInt32(at);
  if ((flags & RUN_OFFSET) !== 0) at += 4;
  const firstFlags = (flags & RUN_FIRST_FLAGS) === 0 ? null : trun.getUint32(at);
  if (firstFlags !== null) at += 4;
  const fields = [RUN_DURATION, RUN_SIZE, RUN_FLAGS, RUN_SHIFT].filter((flag) => (flags & flag) !== 0);
  const at0 = at;
  const own = (flag: number): number | null => {
    const field = fields.indexOf(flag);
    return field === -1 || samples === 0 ? null : trun.getUint32(at0 + field * 4);
  };
  const run = {
    samples,
    offset,
    firstSize: own(RUN_SIZE) ?? header.size,
    firstFlags: firstFlags ?? own(RUN_FLAGS) ?? header.flags,
  };
  const durationAt = fields.indexOf(RUN_DURATION);
  const shiftAt = fields.indexOf(RUN_SHIFT);
  // Samples without fields of their own take no bytes, so a run may claim billions of them: they are not walked.
  if (durationAt === -1 && shiftAt === -1) {
    return { ...run, duration: samples * header.duration, earliest: 0 };
  }
  let duration = 0;
  let earliest = Infinity;
  for (let i = 0; i < samples; i++, at += fields.length * 4) {
    const place = at + shiftAt * 4;
    const shift = shiftAt === -1 ? 0 : signed ? trun.getInt32(place) : trun.getUint32(place);
    earliest = Math.min(earliest, duration + shift);
    duration += durationAt === -1 ? header.duration : trun.getUint32(at + durationAt * 4);
  }
  return { ...run, duration, earliest };
}
