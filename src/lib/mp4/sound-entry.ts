// What the sample entry of an audio track says: channels, rate, and the codec in the words of RFC 6381.

import { findBox, slice } from './boxes.ts';
import type { Box } from './boxes.ts';

export interface SoundEntry {
  readonly codec: string;
  readonly channels: number;
  /** Hertz. */
  readonly sampleRate: number;
}

/**
 * Reads an AudioSampleEntry (ISO/IEC 14496-12, 12.2.3). The codec's own configuration decides, since the entry itself
 * is often wrong: FFmpeg writes two channels there for every AAC. Throws RangeError for what it does not know.
 */
export function readSoundEntry({ type, body }: Box): SoundEntry {
  const configuration = (name: string): DataView => {
    const found = findBox(body, name, 28);
    if (found === undefined) throw new RangeError(`there is no ${name} box`);
    return found;
  };
  const entry = { channels: body.getUint16(16), sampleRate: body.getUint16(24) };
  switch (type) {
    case 'mp4a':
      return mpeg4(configuration('esds'), entry);
    case 'Opus':
      // Opus in ISOBMFF, 4.3.2: the rate of the input is hearsay, it always plays at 48 kHz.
      return { codec: 'Opus', channels: configuration('dOps').getUint8(1), sampleRate: 48_000 };
    case 'fLaC':
      return { codec: 'fLaC', ...flac(configuration('dfLa')) };
    default:
      throw new RangeError('an audio codec that is not known here');
  }
}

/** The block STREAMINFO comes first (FLAC in ISOBMFF, 3.3.2; RFC 9639, 8.2). */
function flac(configuration: DataView): { channels: number; sampleRate: number } {
  const bits = configuration.getUint32(8 + 10);
  return { sampleRate: bits >>> 12, channels: ((bits >>> 9) & 7) + 1 };
}

/** Tags of descriptors, and the object type of MPEG-4 audio (ISO/IEC 14496-1, 7.2.2 and 7.2.6.6). */
const ELEMENTARY_STREAM = 3;
const DECODER = 4;
const DECODER_SPECIFIC = 5;
const MPEG4_AUDIO = 0x40;

function mpeg4(esds: DataView, entry: { channels: number; sampleRate: number }): SoundEntry {
  const stream = descriptor(esds, 4, ELEMENTARY_STREAM);
  const flags = stream.getUint8(2);
  let at = 3;
  if ((flags & 0x80) !== 0) at += 2;
  if ((flags & 0x40) !== 0) at += 1 + stream.getUint8(at);
  if ((flags & 0x20) !== 0) at += 2;
  const decoder = descriptor(stream, at, DECODER);
  const objectType = decoder.getUint8(0);
  if (objectType !== MPEG4_AUDIO) return { codec: `mp4a.${objectType.toString(16).toUpperCase()}`, ...entry };
  return audioConfiguration(descriptor(decoder, 13, DECODER_SPECIFIC), entry);
}

/** The body of a descriptor. Its length is written in groups of 7 bits, four at most (ISO/IEC 14496-1, 8.3.3). */
function descriptor(view: DataView, at: number, tag: number): DataView {
  if (view.getUint8(at) !== tag) throw new RangeError(`no descriptor ${tag}`);
  let length = 0;
  for (let digit = 1; digit <= 4; digit++) {
    const byte = view.getUint8(at + digit);
    length = (length << 7) | (byte & 0x7f);
    if (byte < 0x80) return slice(view, at + digit + 1, length);
  }
  throw new RangeError('a length without an end');
}

const RATES = [
  96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000, 7350,
];
/** By channelConfiguration; 0 means that they are listed elsewhere. */
const CHANNELS = [0, 1, 2, 3, 4, 5, 6, 8, 0, 0, 0, 7, 8, 24, 8];
/** Object types whose sound has a high part of its own, told by another rate: HE-AAC and its second version. */
const WITH_HIGH_PART = new Set([5, 29]);

/** AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1). */
function audioConfiguration(view: DataView, entry: { channels: number; sampleRate: number }): SoundEntry {
  let at = 0;
  const bits = (count: number): number => {
    let value = 0;
    for (const end = at + count; at < end; at++) {
      value = (value << 1) | ((view.getUint8(at >> 3) >> (7 - (at & 7))) & 1);
    }
    return value;
  };
  const rate = (): number => {
    const index = bits(4);
    const known = index === 15 ? bits(24) : RATES[index];
    if (known === undefined) throw new RangeError('a sample rate that is reserved');
    return known;
  };
  const short = bits(5);
  const objectType = short === 31 ? 32 + bits(6) : short;
  const core = rate();
  const channels = CHANNELS[bits(4)] ?? 0;
  return {
    codec: `mp4a.40.${objectType}`,
    channels: channels === 0 ? entry.channels : channels,
    sampleRate: WITH_HIGH_PART.has(objectType) ? rate() : core,
  };
}
