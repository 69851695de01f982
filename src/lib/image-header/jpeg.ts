// JPEG: the frame header, the EXIF orientation and the number of scans (ITU-T T.81, annex B).

import { word } from './header-facts.ts';
import type { HeaderFacts } from './header-facts.ts';
import { exifOrientation } from './tiff.ts';

const SOS = 0xda;
const EOI = 0xd9;
const APP1 = 0xe1;
/** Nobody needs to know how many more there are. */
const ENOUGH_SCANS = 1000;

export function readJpeg(view: DataView): HeaderFacts {
  let orientation: number | undefined;
  let frame: { width: number; height: number; components: number; progressive: boolean } | undefined;
  let at = 2;
  for (;;) {
    const marker = view.getUint8(at) === 0xff ? view.getUint8(at + 1) : -1;
    if (marker === 0xff) {
      at++; // A fill byte.
      continue;
    }
    if (marker < 0x01 || marker === EOI) throw new RangeError('no scan');
    if (isAlone(marker)) {
      at += 2;
      continue;
    }
    const length = view.getUint16(at + 2);
    if (length < 2) throw new RangeError('a segment of no length');
    if (isFrame(marker)) {
      if (frame !== undefined) throw new RangeError('two frame headers');
      frame = {
        height: view.getUint16(at + 5),
        width: view.getUint16(at + 7),
        components: view.getUint8(at + 9),
        progressive: (marker & 3) === 2,
      };
    } else if (marker === APP1 && orientation === undefined && isExif(view, at)) {
      orientation = exifOrientation(view, at + 10, length - 8);
    } else if (marker === SOS) {
      if (frame === undefined) throw new RangeError('a scan before the frame header');
      // A baseline scan of all components is the only one that the decoder looks at.
      const many = frame.progressive || view.getUint8(at + 4) < frame.components;
      return {
        width: frame.width,
        height: frame.height,
        frames: 1,
        alpha: false,
        orientation: orientation ?? 1,
        scans: many ? countScans(view, at) : 1,
      };
    }
    at += 2 + length;
  }
}

/** From the first scan on. Reads to the end of the image: in the compressed data every FF is followed by 00 or RSTn. */
function countScans(view: DataView, start: number): number {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  let scans = 0;
  let at = start;
  while (at + 1 < bytes.length && scans < ENOUGH_SCANS) {
    const marker = bytes[at] === 0xff ? bytes[at + 1]! : 0;
    if (marker === 0 || marker === 0xff) {
      at++;
    } else if (marker === EOI) {
      break;
    } else if (isAlone(marker)) {
      at += 2;
    } else {
      if (marker === SOS) scans++;
      if (at + 3 >= bytes.length) break;
      at += 2 + Math.max(2, view.getUint16(at + 2));
    }
  }
  return scans;
}

/** TEM, RSTn and SOI: markers with no length behind them. */
function isAlone(marker: number): boolean {
  return marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8);
}

/** SOF0–15 without DHT, JPG and DAC, which lie among them. */
function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

function isExif(view: DataView, at: number): boolean {
  return at + 10 <= view.byteLength && word(view, at + 4, 6) === 'Exif\0\0';
}
