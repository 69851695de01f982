// What the sample entry of a video track says: size, colour, and the codec in the words of RFC 6381.

import { boxes, findBox, fourCharacters } from './boxes.ts';
import type { Box } from './boxes.ts';

/** Of brightness, as HLS calls it: the attribute VIDEO-RANGE. */
export type VideoRange = 'SDR' | 'PQ' | 'HLG';

export interface PictureEntry {
  readonly codec: string;
  /** Pixels as stored. */
  readonly width: number;
  readonly height: number;
  /** Null where the file does not say. */
  readonly range: VideoRange | null;
}

/** Numbers of ISO/IEC 23091-2 (coding-independent code points). */
interface Colour {
  readonly primaries: number;
  readonly transfer: number;
  readonly matrix: number;
  readonly full: boolean;
}

const BT709 = 1;
const UNSPECIFIED = 2;
const PQ = 16;
const HLG = 18;

/** Reads a VisualSampleEntry (ISO/IEC 14496-12, 12.1.3). Throws RangeError for what it does not know. */
export function readPictureEntry({ type, body }: Box): PictureEntry {
  const inside = [...boxes(body, 78)];
  const colour = colourOf(inside);
  return {
    codec: codecOf(type, body, colour),
    width: body.getUint16(24),
    height: body.getUint16(26),
    range: rangeOf(colour),
  };
}

/** ISO/IEC 14496-12, 12.1.5. */
function colourOf(inside: readonly Box[]): Colour | null {
  for (const { type, body } of inside) {
    if (type !== 'colr' || fourCharacters(body, 0) !== 'nclx') continue;
    return {
      primaries: body.getUint16(4),
      transfer: body.getUint16(6),
      matrix: body.getUint16(8),
      full: body.getUint8(10) >= 0x80,
    };
  }
  return null;
}

function rangeOf(colour: Colour | null): VideoRange | null {
  if (colour === null || colour.transfer === UNSPECIFIED) return null;
  if (colour.transfer === PQ) return 'PQ';
  return colour.transfer === HLG ? 'HLG' : 'SDR';
}

function codecOf(type: string, entry: DataView, colour: Colour | null): string {
  const configuration = (name: string): DataView => {
    const body = findBox(entry, name, 78);
    if (body === undefined) throw new RangeError(`there is no ${name} box`);
    return body;
  };
  switch (type) {
    case 'avc1':
    case 'avc3':
      return `${type}.${avc(configuration('avcC'))}`;
    case 'hvc1':
    case 'hev1':
      return `${type}.${hevc(configuration('hvcC'))}`;
    case 'av01':
      return `${type}.${av1(configuration('av1C'), colour)}`;
    case 'vp09':
      return `${type}.${vp9(configuration('vpcC'))}`;
    default:
      throw new RangeError('a video codec that is not known here');
  }
}

/** Profile, constraints and level, as the bytes stand in the configuration (RFC 6381, 3.3; ISO/IEC 14496-15, 5.3.3.1). */
function avc(configuration: DataView): string {
  return [1, 2, 3].map((at) => hex(configuration.getUint8(at), 2)).join('');
}

/**
 * Profile, compatibility with its bits reversed, tier and level, constraints without the zeros at their end
 * (ISO/IEC 14496-15, E.3).
 */
function hevc(configuration: DataView): string {
  const head = configuration.getUint8(1);
  const space = ['', 'A', 'B', 'C'][head >> 6] ?? '';
  const tier = (head & 0x20) === 0 ? 'L' : 'H';
  const constraints = [6, 7, 8, 9, 10, 11].map((at) => configuration.getUint8(at));
  while (constraints.at(-1) === 0) constraints.pop();
  return [
    `${space}${head & 0x1f}`,
    hex(reversed(configuration.getUint32(2))).toUpperCase(),
    `${tier}${configuration.getUint8(12)}`,
    ...constraints.map((byte) => hex(byte).toUpperCase()),
  ].join('.');
}

/**
 * Profile, level with tier, depth; and, where they are not the usual ones, the shape of the colours and their numbers
 * (AV1 Codec ISO Media File Format Binding, 2.3.3 and 5).
 */
function av1(configuration: DataView, colour: Colour | null): string {
  const head = configuration.getUint8(1);
  const bits = configuration.getUint8(2);
  const profile = head >> 5;
  const depth = (bits & 0x40) === 0 ? 8 : profile === 2 && (bits & 0x20) !== 0 ? 12 : 10;
  const mono = (bits & 0x10) === 0 ? '0' : '1';
  const [across, down, place] = [(bits >> 3) & 1, (bits >> 2) & 1, bits & 3];
  // The third digit, where the samples of colour lie, is for 4:2:0 only. 3 is reserved.
  const shape = `${across}${down}${across === 1 && down === 1 && place < 3 ? place : 0}`;
  const long = `${mono}.${shape}.${colourNumbers(colour)}`;
  const short = `${profile}.${twoDigits(head & 0x1f)}${bits >= 0x80 ? 'H' : 'M'}.${twoDigits(depth)}`;
  return long === '0.110.01.01.01.0' ? short : `${short}.${long}`;
}

/** What is not said is taken for BT.709, which is also what a short codec string means. */
function colourNumbers(colour: Colour | null): string {
  const numbers =
    colour === null ? [BT709, BT709, BT709] : [colour.primaries, colour.transfer, colour.matrix];
  const known = numbers.map((number) => twoDigits(number === UNSPECIFIED ? BT709 : number));
  return `${known.join('.')}.${colour?.full === true ? 1 : 0}`;
}

/** Profile, level, depth; and what is not usual (VP Codec ISO Media File Format Binding, "Codecs Parameter String"). */
function vp9(configuration: DataView): string {
  const [profile, level, bits] = [4, 5, 6].map((at) => configuration.getUint8(at)) as [
    number,
    number,
    number,
  ];
  const numbers = [7, 8, 9].map((at) => configuration.getUint8(at));
  const short = [profile, level, bits >> 4].map(twoDigits).join('.');
  const long = [
    (bits >> 1) & 7,
    ...numbers.map((number) => (number === UNSPECIFIED ? BT709 : number)),
    bits & 1,
  ];
  // 0 and 1 are both 4:2:0, with the samples of colour in different places.
  return long.join('.') === '1.1.1.1.0' || long.join('.') === '0.1.1.1.0'
    ? short
    : `${short}.${long.map(twoDigits).join('.')}`;
}

function reversed(word: number): number {
  let result = 0;
  for (let bit = 0; bit < 32; bit++) result = ((result << 1) | ((word >>> bit) & 1)) >>> 0;
  return result;
}

function hex(number: number, digits = 1): string {
  return number.toString(16).padStart(digits, '0');
}

function twoDigits(number: number): string {
  return `${number}`.padStart(2, '0');
}
