// A video held against its source: codecs, size, upright, length, timing of picture and sound, what players ask for.

import { boxes } from '../engines/video-fixtures.ts';
import { syncOf } from '../support/sync.ts';
import { apart, frameAt, matchPictures, matchSounds } from './align.ts';
import type { PictureMatch, SoundMatch, Stretch } from './align.ts';
import { checkClipPrivacy } from './check-privacy.ts';
import { framesOf, lookAt, ratio, RATE, soundOf, streamsOf } from './look.ts';
import type { Frames, Looked, LookedStream } from './look.ts';
import type { Result } from './matrix.ts';
import type { Findings } from './report.ts';
import { coveredFrames, shownSize } from './truth.ts';
import type { Shown, Truth } from './truth.ts';

export type PictureCodec = 'h264' | 'hevc' | 'av1' | 'vp9';

export interface ClipWish {
  readonly codec: PictureCodec;
  readonly width?: number;
  readonly height?: number;
  readonly cover?: boolean;
  readonly mute?: boolean;
  /** Seconds of the source. */
  readonly start?: number;
  readonly end?: number;
  readonly chunked?: boolean;
}

/** Issue 4: "audio in sync within 40 ms at start and end". */
export const MOST_APART_SECONDS = 0.04;
/** Least correlation of sounds at which their distance means something. */
const SAME_SOUND = 0.7;

const TAGS: Readonly<Record<PictureCodec, readonly string[]>> = {
  h264: ['avc1'],
  hevc: ['hvc1'],
  av1: ['av01'],
  vp9: ['[0][0][0][0]'],
};

export async function checkClip(
  result: Result,
  truth: Truth,
  wish: ClipWish,
  found: Findings,
): Promise<void> {
  const [path = ''] = result.paths;
  const looked = await lookAt(path);
  const [video] = streamsOf(looked, 'video');
  if (video === undefined) return found.check(false, 'has no picture');
  found.check(streamsOf(looked, 'video').length === 1, 'has several pictures');
  checkPicture(video, wish, found);
  checkSize(shownSize(video), expectedSize(truth.picture, wish), found);
  const [sound] = streamsOf(looked, 'audio');
  const wantsSound = truth.sound !== null && wish.mute !== true;
  found.check((sound !== undefined) === wantsSound, `has ${sound === undefined ? 'no ' : ''}sound`);
  if (sound !== undefined) checkSound(sound, wish.codec, found);
  const isMp4 = wish.codec !== 'vp9';
  if (isMp4) await checkFastStart(path, found);
  await checkClipPrivacy(path, truth.looked, found, looked);

  const source = wish.cover === true ? await coveredFrames(truth, shownSize(video)) : truth.picture.frames;
  const frames = await framesOf(path, source, { absolute: true });
  const samples = sound === undefined ? null : await soundOf(path, { absolute: true });
  for (const error of frames.errors.slice(0, 2)) found.check(false, `does not decode: ${error}`);
  checkLength({ looked, frames, samples }, truth, wish, found);
  checkTiming({ source, frames, samples }, truth, wish, found);
  if (result.beeps && sound !== undefined) await checkBeeps(path, truth, found);
  if (wish.chunked === true) {
    found.check(
      result.decisions.some((text) => /\d+ chunks/.test(text)),
      `not in chunks: ${result.decisions.join('; ')}`,
    );
  }
}

function checkPicture(video: LookedStream, { codec }: ClipWish, found: Findings): void {
  found.check(video.codec_name === codec, `is ${video.codec_name}, not ${codec}`);
  found.check(TAGS[codec].includes(video.codec_tag_string ?? ''), `has the tag ${video.codec_tag_string}`);
  found.check(video.pix_fmt === 'yuv420p', `has pixels of ${video.pix_fmt}`);
  const profiles = /^(?:(?:Constrained )?Baseline|Main|High|Profile 0)$/;
  found.check(profiles.test(video.profile ?? ''), `has the profile ${video.profile}`);
  const aspect = ratio(video.sample_aspect_ratio) ?? 1;
  found.check(Math.abs(aspect - 1) <= 0.01, `has pixels of ${video.sample_aspect_ratio}`);
  const transfer = video.color_transfer ?? 'unknown';
  found.check(/^(?:unknown|bt709|smpte170m)$/.test(transfer), `has the colours of ${transfer}`);
  const fields = video.field_order ?? 'unknown';
  found.check(/^(?:unknown|progressive)$/.test(fields), `has fields: ${fields}`);
}

function checkSound(
  { codec_name, profile, channels }: LookedStream,
  codec: PictureCodec,
  found: Findings,
): void {
  const wanted = codec === 'vp9' ? 'opus' : 'aac';
  found.check(codec_name === wanted, `has ${codec_name}, not ${wanted}`);
  found.check(wanted === 'opus' || profile === 'LC', `has AAC of profile ${profile}`);
  found.check((channels ?? 0) >= 1 && (channels ?? 0) <= 2, `has ${channels} channels`);
}

/** Not rounded to whole pixels. */
export function expectedSize(
  shown: Shown,
  { width, height, cover }: Pick<ClipWish, 'width' | 'height' | 'cover'>,
): Shown {
  const across = (width ?? Infinity) / shown.width;
  const down = (height ?? Infinity) / shown.height;
  if (cover === true && width !== undefined && height !== undefined) {
    const shrink = Math.max(1, across, down);
    return { width: width / shrink, height: height / shrink };
  }
  const factor = Math.min(1, across, down);
  return { width: shown.width * factor, height: shown.height * factor };
}

export function checkSize(size: Shown, expected: Shown, found: Findings): void {
  const isNear = (side: number, wanted: number): boolean => Math.abs(side - wanted) < 2;
  found.check(
    isNear(size.width, expected.width) && isNear(size.height, expected.height),
    `is ${size.width} × ${size.height}, not ${expected.width.toFixed(1)} × ${expected.height.toFixed(1)}`,
  );
  const isEven = size.width % 2 === 0 && size.height % 2 === 0;
  found.check(isEven, `has an odd side: ${size.width} × ${size.height}`);
}

export async function checkFastStart(path: string, found: Findings): Promise<void> {
  const order = await boxes(path);
  const isFast =
    order[0] === 'ftyp' && order.indexOf('moov') < order.indexOf('mdat') && order.includes('moov');
  found.check(isFast, `begins with ${order.join(', ')}`);
}

export interface Decoded {
  readonly looked: Looked | null;
  readonly frames: Frames;
  readonly samples: Float32Array | null;
}

type Cut = Pick<ClipWish, 'start' | 'end' | 'mute'>;

/** Within two frames or 1 %, whichever is more: picture, sound, and the file as it says of itself. */
export function checkLength(
  { looked, frames, samples }: Decoded,
  truth: Truth,
  cut: Cut,
  found: Findings,
): void {
  const { start = 0, end = Infinity } = cut;
  const { fps } = truth.picture;
  const lengthOf = (sourceEnd: number): number => Math.max(0, Math.min(end, sourceEnd) - start);
  const about = (what: string, value: number, wanted: number): void => {
    const room = Math.max(2 / fps, wanted * 0.01);
    found.within(what, value, wanted - room, wanted + room);
  };
  const last = frames.times.at(-1) ?? 0;
  about('end of the picture', last + 1 / fps, lengthOf(truth.picture.end));
  if (samples !== null && truth.sound !== null) {
    about('end of the sound', samples.length / RATE, lengthOf(truth.sound.end));
  }
  const hasSound = truth.sound !== null && cut.mute !== true;
  const whole = lengthOf(hasSound ? truth.seconds : truth.picture.end);
  if (looked !== null) about('duration', Number(looked.format.duration ?? Number.NaN), whole);
  const { times } = truth.picture.frames;
  const wanted = times.filter((time) => time >= start - 0.5 / fps && time < end - 0.5 / fps).length;
  // Gaps may be filled, where a steady rate is asked for.
  const span = Math.min(end, truth.picture.end) - start;
  const filled = Math.max(wanted, Math.ceil(span * truth.picture.beat));
  found.within('number of frames', frames.times.length, wanted - 2, filled + 2);
}

export interface Timed {
  readonly source: Frames;
  readonly frames: Frames;
  readonly samples: Float32Array | null;
}

/** At start, middle and end: the picture is the source's, upright, at its time; and the sound is where the picture is. */
export function checkTiming(
  { source, frames, samples }: Timed,
  truth: Truth,
  { start = 0 }: Cut,
  found: Findings,
): void {
  const { fps } = truth.picture;
  const begin = frames.times[0] ?? 0;
  const end = (frames.times.at(-1) ?? 0) + 1 / fps;
  const places: readonly (readonly [string, Stretch])[] = [
    ['start', { from: begin, to: begin + Math.min(1.5, end - begin) }],
    ['middle', around((begin + end) / 2, 0.75, end)],
    ['end', { from: Math.max(begin, end - 1.5), to: end }],
  ];
  for (const [place, stretch] of places) {
    const seen = matchPictures(source, frames, stretch, start);
    if (seen === null) {
      found.check(false, `has no picture at the ${place}`);
      continue;
    }
    checkLikeness(seen, place, found);
    found.figure('picture ms', seen.shift * 1000);
    found.within(`delay of the picture at the ${place}`, seen.shift, -1.5 / fps, 1.5 / fps);
    if (samples === null || truth.sound === null) continue;
    const soundEnd = Math.min(end, samples.length / RATE);
    const heard = matchSounds(truth.sound.samples, samples, soundStretch(place, stretch, soundEnd), start);
    if (heard !== null) checkSync(heard, seen.shift, place, found);
  }
  checkUpright(source, frames, start, found);
}

function around(middle: number, reach: number, end: number): Stretch {
  return { from: Math.max(0, middle - reach), to: Math.min(end, middle + reach) };
}

/** Three seconds of it: something is to be heard in one of them. */
function soundStretch(place: string, { from, to }: Stretch, end: number): Stretch {
  if (place === 'start') return { from: Math.max(0, from), to: Math.min(end, from + 3) };
  if (place === 'end') return { from: Math.max(0, end - 3), to: end };
  return { from: Math.max(0, from - 1), to: Math.min(end, to + 1) };
}

export function checkLikeness({ likeness, difference }: PictureMatch, place: string, found: Findings): void {
  found.figure('difference', difference);
  found.check(difference <= 10, `at the ${place} its colours are ${difference.toFixed(1)} from the source's`);
  if (likeness === null) return;
  found.check(likeness >= 0.9, `at the ${place} it is like the source only by ${likeness.toFixed(3)}`);
}

export function checkSync(heard: SoundMatch, pictureShift: number, place: string, found: Findings): void {
  if (heard.likeness < SAME_SOUND) {
    found.check(false, `at the ${place} the sound is like the source's only by ${heard.likeness.toFixed(2)}`);
    return;
  }
  const distance = heard.lag - pictureShift;
  found.figure('sync ms', distance * 1000);
  const isTogether = Math.abs(distance) <= MOST_APART_SECONDS;
  found.check(isTogether, `at the ${place} the sound is ${(distance * 1000).toFixed(0)} ms late`);
}

/** No mirrored or turned picture is more like the source's than the one that is there. */
function checkUpright(source: Frames, result: Frames, offset: number, found: Findings): void {
  // Not at a full second, when clips may flash.
  const moment = (result.times.at(-1) ?? 0) * 0.4;
  const wanted = frameAt(source, moment + offset);
  const there = apart(frameAt(result, moment), wanted);
  for (const [name, turned] of turns(frameAt(result, moment), result)) {
    found.check(there <= apart(turned, wanted), `looks as if it were ${name}`);
  }
}

function turns(pixels: Uint8Array, { width, height }: Shown): readonly (readonly [string, Uint8Array])[] {
  const mapped = (from: (x: number, y: number) => number): Uint8Array => {
    const out = new Uint8Array(pixels.length);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const start = from(x, y) * 3;
        out.set(pixels.subarray(start, start + 3), (y * width + x) * 3);
      }
    }
    return out;
  };
  return [
    ['mirrored', mapped((x, y) => y * width + (width - 1 - x))],
    ['upside down', mapped((x, y) => (height - 1 - y) * width + (width - 1 - x))],
    ['mirrored upside down', mapped((x, y) => (height - 1 - y) * width + x)],
  ];
}

/** The result's flashes and beeps lie no further apart than those of the source do. */
async function checkBeeps(path: string, truth: Truth, found: Findings): Promise<void> {
  const [source, result] = await Promise.all([syncOf(truth.path), syncOf(path)]);
  found.check(result.flashes.length > 0, 'does not flash');
  const worst = Math.max(0, result.worst - source.worst);
  found.figure('beep ms', worst * 1000);
  found.check(
    result.worst <= source.worst + MOST_APART_SECONDS,
    `beeps ${(worst * 1000).toFixed(0)} ms from its flashes`,
  );
}
