// PNG and APNG: the chunks before the pixels (PNG 3rd edition, section 11).

import { word } from './header-facts.ts';
import type { HeaderFacts } from './header-facts.ts';
import { exifOrientation } from './tiff.ts';

/** Real files have a dozen chunks before their pixels. */
const MOST_CHUNKS = 1000;

export function readPng(view: DataView): HeaderFacts {
  if (view.getUint32(8) !== 13 || word(view, 12, 4) !== 'IHDR') throw new RangeError('no IHDR');
  const colourType = view.getUint8(25);
  let alpha = (colourType & 4) !== 0;
  let frames = 1;
  let orientation = 1;
  let profile = false;
  let at = 33;
  for (let chunks = 0; chunks < MOST_CHUNKS; chunks++) {
    const length = view.getUint32(at);
    const type = word(view, at + 4, 4);
    if (type === 'IDAT' || type === 'IEND') {
      const deepProfile = profile && view.getUint8(24) === 16 && (colourType & 2) !== 0;
      return {
        width: view.getUint32(16),
        height: view.getUint32(20),
        frames,
        alpha,
        orientation,
        scans: 1,
        ...(deepProfile && { deepProfile }),
      };
    }
    if (type === 'tRNS') alpha = true;
    if (type === 'iCCP') profile = true;
    if (type === 'acTL') frames = Math.max(1, view.getUint32(at + 8));
    if (type === 'eXIf') orientation = exifOrientation(view, at + 8, length);
    at += 12 + length;
  }
  throw new RangeError('too many chunks before the pixels');
}
