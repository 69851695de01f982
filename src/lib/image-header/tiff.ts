// TIFF, and the TIFF inside EXIF: the first image file directory (TIFF 6.0, section 2).

import { part } from './header-facts.ts';
import type { HeaderFacts } from './header-facts.ts';

const SHORT = 3;
const LONG = 4;
const UNDEFINED = 7;

const WIDTH = 256;
const HEIGHT = 257;
const PHOTOMETRIC = 262;
const ORIENTATION = 274;
const EXTRA_SAMPLES = 338;
const BITS_PER_SAMPLE = 258;
const PROFILE = 34_675;
const RGB = 2;

export function readTiff(view: DataView): HeaderFacts {
  const tags = firstDirectory(view);
  return {
    width: tags.get(WIDTH) ?? 0,
    height: tags.get(HEIGHT) ?? 0,
    // Further pages are other pictures and not frames; the decoder reads the first only.
    frames: 1,
    alpha: tags.has(EXTRA_SAMPLES),
    orientation: sane(tags.get(ORIENTATION)),
    scans: 1,
    ...(tags.get(PHOTOMETRIC) === RGB && isDeep(view, tags) && { deepProfile: true }),
  };
}

/** It has a profile, and 16 bits in the first of its samples. */
function isDeep(view: DataView, tags: ReadonlyMap<number, number>): boolean {
  const at = tags.get(BITS_PER_SAMPLE);
  // Those of three samples and more do not fit into the entry: there stands where they are.
  if (at === undefined || !tags.has(PROFILE) || at + 2 > view.byteLength) return false;
  return view.getUint16(at, view.getUint16(0) === 0x4949) === 16;
}

/** The orientation in EXIF data of `length` bytes at `at`, 1 where there is none or it cannot be read. */
export function exifOrientation(view: DataView, at: number, length: number): number {
  try {
    return sane(firstDirectory(part(view, at, length)).get(ORIENTATION));
  } catch (error) {
    // Damaged metadata is no reason to refuse a picture: the decoder overlooks it too.
    if (error instanceof RangeError) return 1;
    throw error;
  }
}

/** The values of the tags that fit into their entry (of two the first), and of the others where they stand. */
function firstDirectory(view: DataView): Map<number, number> {
  const order = view.getUint16(0);
  if (order !== 0x4949 && order !== 0x4d4d) throw new RangeError('no byte order');
  const little = order === 0x4949;
  if (view.getUint16(2, little) !== 42) throw new RangeError('not a TIFF');
  const directory = view.getUint32(4, little);
  const count = view.getUint16(directory, little);
  const tags = new Map<number, number>();
  for (let i = 0; i < count; i++) {
    const entry = directory + 2 + i * 12;
    if (entry + 12 > view.byteLength) break;
    const type = view.getUint16(entry + 2, little);
    if (type !== SHORT && type !== LONG && type !== UNDEFINED) continue;
    const fits = type === SHORT && view.getUint32(entry + 4, little) <= 2;
    const value = fits ? view.getUint16(entry + 8, little) : view.getUint32(entry + 8, little);
    tags.set(view.getUint16(entry, little), value);
  }
  return tags;
}

function sane(orientation: number | undefined): number {
  return orientation !== undefined && orientation >= 1 && orientation <= 8 ? orientation : 1;
}
