// Searches the least quality at which a picture still looks like itself.

import type { Sharp } from 'sharp';
import type { RenderTask } from '../src/engines/image-task.ts';
import { ssim } from '../src/lib/ssim.ts';
import type { Encoding } from '../src/operations/encoding-plan.ts';
import { imageFormats } from '../src/operations/image-format.ts';
import { open, openEncoded, settle, toPixels } from './passes.ts';
import type { Pixels } from './passes.ts';

/** It is searched on a copy of at most so many pixels: trying costs as little for a poster as for a stamp. */
const MOST_PIXELS = 1_000_000;
const LEAST = 10;
const MOST = 95;
/** How close to the least quality the search comes. */
const STEP = 3;

export interface FoundQuality {
  readonly quality: number;
  readonly similarity: number;
  readonly isReached: boolean;
}

/** `picture`: opens the finished pixels anew; there are `pixels` of them. */
export async function leastQuality(
  picture: () => Sharp,
  pixels: number,
  wanted: number,
  { format, options }: Encoding,
  task: RenderTask,
): Promise<FoundQuality> {
  const scale = Math.min(1, Math.sqrt(MOST_PIXELS / pixels));
  const { width: full } = await settle(picture().metadata(), 'afterwards', task);
  const copied = scale < 1 ? picture().resize({ width: Math.max(1, Math.floor(full * scale)) }) : picture();
  const copy = await toPixels(copied.toColourspace('srgb'), 'afterwards', task);
  const original = await luma(open(copy), task);
  const tryQuality = async (quality: number): Promise<FoundQuality> => {
    const one = imageFormats[format].encode(open(copy), { ...options, quality, timing: undefined });
    const file = await settle(one.toUint8Array(), 'afterwards', task);
    const shown = await luma(openEncoded(file.data), task);
    const similarity = ssim(original.data, shown.data, original.width, original.height);
    return { quality, similarity, isReached: similarity >= wanted };
  };
  let low = LEAST;
  let high = MOST;
  let found: FoundQuality | undefined;
  while (high - low >= STEP) {
    const one = await tryQuality(Math.floor((low + high) / 2));
    if (one.isReached) {
      found = one;
      high = one.quality;
    } else {
      low = one.quality + 1;
    }
  }
  return found ?? tryQuality(MOST);
}

/** On grey, so that transparency counts whatever lies behind it. */
function luma(image: Sharp, task: RenderTask): Promise<Pixels> {
  return toPixels(image.flatten({ background: '#808080' }).toColourspace('b-w'), 'afterwards', task);
}
