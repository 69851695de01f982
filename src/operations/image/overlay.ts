// What composite and text share: where something is put, how much of it shows, and putting it there.

import type { Blend, Sharp } from 'sharp';
import { z } from 'zod';
import { looseNumber } from '../../lib/loose-scalar.ts';
import type { Pixels, Size, Tools } from '../image-operation.ts';
import { GRAVITIES, placed } from './gravity.ts';
import type { Gravity } from './gravity.ts';

const offset = looseNumber(z.number().int().min(-16_383).max(16_383)).default(0);

export const gravity = z.enum(GRAVITIES);

export const overlayFields = {
  x: offset.describe('Pixels inwards from the edge it lies at; in the middle, to the right'),
  y: offset.describe('Pixels inwards from the edge it lies at; in the middle, downwards'),
  opacity: looseNumber(z.number().min(0).max(1))
    .default(1)
    .describe('How much of it is to be seen: 0 (nothing) to 1'),
};

export interface Placing {
  readonly gravity: Gravity;
  readonly x: number;
  readonly y: number;
  readonly blend: Blend;
}

/** Puts decoded RGBA into the picture. What reaches outside is cut off; nothing is added to an opaque picture's channels. */
export function put(
  image: Sharp,
  size: Size,
  overlay: Pixels,
  { gravity, x, y, blend }: Placing,
  tools: Pick<Tools, 'opaque'>,
): Sharp {
  const { left, top } = placed(gravity, size, overlay, { x, y });
  const part = within(overlay, size, left, top);
  if (part === undefined) return image;
  const { data, width, height } = part.pixels;
  const composed = image.composite([
    {
      input: Buffer.from(data.buffer, data.byteOffset, data.byteLength),
      raw: { width, height, channels: 4 },
      left: part.left,
      top: part.top,
      blend,
    },
  ]);
  return tools.opaque && !CUTS.has(blend) ? composed.removeAlpha() : composed;
}

/** Blend modes that take away from the picture. */
export const CUTS: ReadonlySet<string> = new Set(['dest-in', 'dest-out']);

/** Multiplies the alpha of RGBA. */
export function fade(overlay: Pixels, opacity: number): Pixels {
  if (opacity === 1) return overlay;
  const data = new Uint8Array(overlay.data);
  for (let at = 3; at < data.length; at += 4) data[at] = Math.round((data[at] ?? 0) * opacity);
  return { ...overlay, data };
}

/** The part of an overlay that lies on the picture, since sharp takes none that is larger. */
function within(
  overlay: Pixels,
  size: Size,
  left: number,
  top: number,
): { pixels: Pixels; left: number; top: number } | undefined {
  const [fromX, fromY] = [Math.max(0, -left), Math.max(0, -top)];
  const width = Math.min(overlay.width, size.width - left) - fromX;
  const height = Math.min(overlay.height, size.height - top) - fromY;
  if (width <= 0 || height <= 0) return undefined;
  const at = { left: left + fromX, top: top + fromY };
  if (width === overlay.width && height === overlay.height) return { pixels: overlay, ...at };
  const data = new Uint8Array(width * height * 4);
  for (let row = 0; row < height; row++) {
    const start = ((fromY + row) * overlay.width + fromX) * 4;
    data.set(overlay.data.subarray(start, start + width * 4), row * width * 4);
  }
  return { pixels: { data, width, height, channels: 4, frames: 1 }, ...at };
}
