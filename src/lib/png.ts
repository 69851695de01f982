// A small PNG writer (W3C PNG, third edition): pictures of at most 256 colours, each with its own transparency.

import { crc32, deflateSync } from 'node:zlib';
import type { Colour } from './colour.ts';

const SIGNATURE = Buffer.from('89504e470d0a1a0a', 'hex');
/** Colour type 3: each pixel is a place in the palette. */
const INDEXED = 3;

/** `pixels`: a byte for each, row by row from the top, which is its place in the palette. Throws RangeError for anything else. */
export function encodePng(
  { width, height }: { readonly width: number; readonly height: number },
  palette: readonly Colour[],
  pixels: Uint8Array,
): Buffer {
  if (palette.length === 0 || palette.length > 256) throw new RangeError('a palette has 1 to 256 colours');
  if (pixels.length !== width * height) throw new RangeError('there must be one byte for each pixel');
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, INDEXED, 0, 0, 0], 8);
  // Before each row stands its filter: 0, none, which suits pictures of a few colours best.
  const rows = Buffer.alloc((width + 1) * height);
  for (let row = 0; row < height; row++) {
    rows.set(pixels.subarray(row * width, (row + 1) * width), row * (width + 1) + 1);
  }
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('PLTE', Buffer.from(palette.flatMap(({ r, g, b }) => [r, g, b]))),
    chunk('tRNS', Buffer.from(palette.map(({ alpha }) => Math.round(alpha * 255)))),
    chunk('IDAT', deflateSync(rows, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** Length, name, data, and a check of the last two. */
function chunk(name: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(name, 'latin1'), data]);
  const framed = Buffer.alloc(body.length + 8);
  framed.writeUInt32BE(data.length, 0);
  body.copy(framed, 4);
  framed.writeUInt32BE(crc32(body), body.length + 4);
  return framed;
}
