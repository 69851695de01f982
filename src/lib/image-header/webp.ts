// WebP: VP8, VP8L or VP8X with its frames (RFC 9649).

import { word } from './header-facts.ts';
import type { HeaderFacts } from './header-facts.ts';
import { exifOrientation } from './tiff.ts';

export function readWebp(view: DataView): HeaderFacts {
  const kind = word(view, 12, 4);
  if (kind === 'VP8 ') {
    if (view.getUint8(23) !== 0x9d || view.getUint16(24) !== 0x012a) throw new RangeError('no start code');
    const width = view.getUint16(26, true) & 0x3fff;
    const height = view.getUint16(28, true) & 0x3fff;
    return { width, height, frames: 1, alpha: false, orientation: 1, scans: 1 };
  }
  if (kind === 'VP8L') {
    if (view.getUint8(20) !== 0x2f) throw new RangeError('no signature');
    const bits = view.getUint32(21, true);
    const width = 1 + (bits & 0x3fff);
    const height = 1 + ((bits >>> 14) & 0x3fff);
    return { width, height, frames: 1, alpha: (bits >>> 28) % 2 === 1, orientation: 1, scans: 1 };
  }
  if (kind !== 'VP8X') throw new RangeError('no picture');
  const flags = view.getUint8(20);
  const width = 1 + view.getUint16(24, true) + view.getUint8(26) * 65_536;
  const height = 1 + view.getUint16(27, true) + view.getUint8(29) * 65_536;
  const animated = (flags & 0x02) !== 0;
  const { frames, orientation } = walk(view);
  return {
    width,
    height,
    frames: animated ? Math.max(1, frames) : 1,
    alpha: (flags & 0x10) !== 0,
    orientation,
    scans: 1,
  };
}

/** Over all chunks, as far as they go: a cut-off file has the frames that are there. */
function walk(view: DataView): { frames: number; orientation: number } {
  let frames = 0;
  let orientation = 1;
  for (let at = 12; at + 8 <= view.byteLength; ) {
    const type = view.getUint32(at);
    const length = view.getUint32(at + 4, true);
    if (type === 0x41_4e_4d_46) frames++; // ANMF
    if (type === 0x45_58_49_46) orientation = exif(view, at + 8, length); // EXIF
    at += 8 + length + (length % 2);
  }
  return { frames, orientation };
}

/** Some writers put JPEG's `Exif\0\0` before the TIFF that the specification asks for; decoders skip it. */
function exif(view: DataView, at: number, length: number): number {
  const prefixed = at + 6 <= view.byteLength && word(view, at, 6) === 'Exif\0\0';
  return prefixed ? exifOrientation(view, at + 6, length - 6) : exifOrientation(view, at, length);
}
