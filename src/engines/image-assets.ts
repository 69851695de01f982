// The other pictures of a task (watermarks, masks): looked at like a source before they get near a thread.

import type { ImageHeader, ImageLimits } from '../lib/image-header.ts';
import { readImageHeader, screen } from '../lib/image-header.ts';
import { assetsOf } from '../operations/assets.ts';
import type { ImageOutput } from '../operations/image.ts';
import { Problem } from '../problems.ts';
import type { Asset } from './image-task.ts';

/** Pixels. A mark is small; and one that is dear to decode would cost every picture that gets it. */
const MAX_PIXELS = 16_000_000;

/**
 * Those that the outputs name, screened, with their decoded pixels all together. Throws Problem: `source_not_found`
 * for one that was not given, and what is said of a bad source, with the reference before it.
 */
export function screenAssets(
  outputs: readonly ImageOutput[],
  given: ReadonlyMap<string, Uint8Array> | undefined,
  limits: ImageLimits & Parameters<typeof readImageHeader>[1],
): { assets: ReadonlyMap<string, Asset>; pixels: number } {
  const assets = new Map<string, Asset>();
  let pixels = 0;
  for (const reference of assetsOf(outputs)) {
    const bytes = given?.get(reference);
    if (bytes === undefined) throw new Problem('source_not_found', `There is no picture ${reference}.`);
    const header = screened(reference, bytes, limits);
    // A pooled Buffer must not be copied to the thread with all its neighbours.
    assets.set(reference, { source: new Uint8Array(bytes), header });
    pixels += header.width * header.height;
  }
  return { assets, pixels };
}

function screened(
  reference: string,
  bytes: Uint8Array,
  limits: Parameters<typeof screenAssets>[2],
): ImageHeader {
  try {
    // Only the first frame is ever shown.
    const header = { ...readImageHeader(bytes, limits), frames: 1 };
    screen(header, { ...limits, maxPixels: Math.min(limits.maxPixels, MAX_PIXELS) });
    return header;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    throw new Problem(error.code, `The picture ${reference}: ${error.message}`, { cause: error });
  }
}
