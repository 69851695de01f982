// AVIF and HEIC: size, rotation and profile of the primary item (ISO/IEC 23008-12, 6 and 9.3; AV1 Image File Format, 2).

import { part, word } from './header-facts.ts';
import type { HeaderFacts } from './header-facts.ts';

interface Box {
  readonly type: string;
  /** What is inside. */
  readonly body: DataView;
}

const MOST_BOXES = 2000;

export function readAvif(view: DataView): HeaderFacts {
  const { own, all } = propertiesOf(view);
  const size = own.find(({ type }) => type === 'ispe')?.body;
  if (size === undefined) throw new RangeError('the primary item has no size');
  const clean = own.find(({ type }) => type === 'clap')?.body;
  const rotation = own.find(({ type }) => type === 'irot')?.body.getUint8(0) ?? 0;
  const turned = rotation % 2 === 1;
  const width = Math.min(size.getUint32(4), clean ? fraction(clean, 0) : Infinity);
  const height = Math.min(size.getUint32(8), clean ? fraction(clean, 8) : Infinity);
  return {
    // The decoder applies the rotation itself and leaves none to be applied.
    width: turned ? height : width,
    height: turned ? width : height,
    frames: 1,
    alpha: all.some(({ type, body }) => type === 'auxC' && isAlpha(body)),
    orientation: 1,
    scans: 1,
  };
}

/** The ICC profile of the primary item, where there is one. Throws RangeError as `readAvif` does. */
export function heifProfile(view: DataView): Uint8Array | undefined {
  const { own } = propertiesOf(view);
  const colour = own.find(({ type, body }) => type === 'colr' && /^(?:prof|rICC)$/.test(word(body, 0, 4)));
  if (colour === undefined) return undefined;
  const { buffer, byteOffset, byteLength } = colour.body;
  return new Uint8Array(buffer, byteOffset + 4, byteLength - 4);
}

/** The properties of the primary item, and those of all items. */
function propertiesOf(view: DataView): { own: readonly Box[]; all: readonly Box[] } {
  const meta = find(boxes(view), 'meta');
  const inMeta = [...boxes(meta, 4)];
  const pitm = find(inMeta, 'pitm');
  const primary = pitm.getUint8(0) === 0 ? pitm.getUint16(4) : pitm.getUint32(4);
  const inIprp = [...boxes(find(inMeta, 'iprp'))];
  const all = [...boxes(find(inIprp, 'ipco'))];
  const own = associations(find(inIprp, 'ipma'), primary).flatMap((index) => all[index - 1] ?? []);
  return { own, all };
}

/** A clean aperture's side: whole pixels of a fraction of two 32-bit numbers. */
function fraction(body: DataView, at: number): number {
  const value = Math.floor(body.getUint32(at) / body.getUint32(at + 4));
  if (!(value >= 1)) throw new RangeError('an aperture without pixels');
  return value;
}

/** The numbers, from 1, of the properties that an item has. */
function associations(ipma: DataView, item: number): number[] {
  const wideItems = ipma.getUint8(0) > 0;
  const wideIndexes = (ipma.getUint8(3) & 1) === 1;
  const entries = ipma.getUint32(4);
  let at = 8;
  for (let i = 0; i < entries; i++) {
    const id = wideItems ? ipma.getUint32(at) : ipma.getUint16(at);
    at += wideItems ? 4 : 2;
    const count = ipma.getUint8(at++);
    const step = wideIndexes ? 2 : 1;
    if (id === item) {
      // The highest bit says whether the property is essential.
      return Array.from({ length: count }, (_, n) =>
        wideIndexes ? ipma.getUint16(at + n * 2) & 0x7fff : ipma.getUint8(at + n) & 0x7f,
      );
    }
    at += count * step;
  }
  return [];
}

/** The boxes in a body, one after the other (ISO/IEC 14496-12, 4.2). */
function* boxes(body: DataView, start = 0): Generator<Box> {
  let at = start;
  for (let i = 0; i < MOST_BOXES && at + 8 <= body.byteLength; i++) {
    const short = body.getUint32(at);
    const header = short === 1 ? 16 : 8;
    const size = short === 1 ? Number(body.getBigUint64(at + 8)) : short === 0 ? body.byteLength - at : short;
    if (size < header) throw new RangeError('a box smaller than its header');
    yield { type: word(body, at + 4, 4), body: part(body, at + header, size - header) };
    at += size;
  }
}

function find(among: Iterable<Box>, type: string): DataView {
  for (const box of among) if (box.type === type) return box.body;
  throw new RangeError(`no ${type} box`);
}

function isAlpha(body: DataView): boolean {
  const text = word(body, 4, Math.min(64, body.byteLength - 4));
  return text.includes('auxid:1') || text.includes('auxiliary:alpha');
}
