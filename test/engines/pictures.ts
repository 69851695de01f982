// Pictures whose every side and corner differs, and a measure of how alike two are.

import sharp from 'sharp';
import type { Sharp } from 'sharp';
import { createImagePool } from '../../src/engines/image-pool.ts';
import type { ImagePoolOptions } from '../../src/engines/image-pool.ts';
import type { ImageEngine, RenderedImage } from '../../src/engine-contracts.ts';
import { imageOutputSchema } from '../../src/operations/image.ts';
import type { z } from 'zod';

export type OutputWish = Omit<z.input<typeof imageOutputSchema>, 'type'>;

/** A pool with room for everything, unless told otherwise. */
export function testPool(options: Partial<ImagePoolOptions> = {}): ImageEngine & AsyncDisposable {
  const pool = createImagePool({
    threads: 1,
    queue: 100,
    maxPixels: 50_000_000,
    maxFrames: 256,
    memoryBytes: 2 ** 30,
    deadlineSeconds: 60,
    onOverrun: () => undefined,
    ...options,
  });
  return Object.assign(pool, { [Symbol.asyncDispose]: () => pool.close() });
}

export const output = (wish: OutputWish) => imageOutputSchema.parse({ type: 'image', ...wish });

/** A copy that may be moved to a thread. */
export const own = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(bytes);

/** The only rendition of a source. */
export async function renderOne(
  pool: ImageEngine,
  source: Uint8Array,
  wish: OutputWish,
  options?: Parameters<ImageEngine['render']>[2],
): Promise<RenderedImage> {
  const { images } = await pool.render(own(source), [output(wish)], options);
  if (images[0] === undefined) throw new Error('no rendition');
  return images[0];
}

/** Red grows to the right and green downwards; blue is a block in the upper left. Opaque, or with alpha growing to the right. */
export function picture(width: number, height: number, alpha = false): Sharp {
  const channels = alpha ? 4 : 3;
  const data = Buffer.alloc(width * height * channels);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = (y * width + x) * channels;
      data[at] = Math.round((255 * x) / width);
      data[at + 1] = Math.round((255 * y) / height);
      data[at + 2] = x < width / 3 && y < height / 4 ? 220 : 30;
      if (alpha) data[at + 3] = 55 + Math.round((200 * x) / width);
    }
  }
  return sharp(data, { raw: { width, height, channels } });
}

export interface Difference {
  /** 0–255, over all pixels and channels. */
  readonly mean: number;
  readonly size: string;
}

/** How far apart two pictures are, as RGBA. `sizes` of both must be equal, else the mean is infinite. */
export async function difference(
  one: Uint8Array | Sharp,
  other: Uint8Array | Sharp,
  { stretch = false } = {},
): Promise<Difference> {
  const pixels = (image: Uint8Array | Sharp) =>
    (image instanceof Uint8Array ? sharp(image) : image)
      .clone()
      .ensureAlpha()
      .toColourspace('srgb')
      .raw()
      .toBuffer({ resolveWithObject: true });
  const a = await pixels(one);
  const size = `${a.info.width}x${a.info.height}`;
  let b = await pixels(other);
  if (`${b.info.width}x${b.info.height}` !== size) {
    if (!stretch) return { mean: Infinity, size: `${size} and ${b.info.width}x${b.info.height}` };
    const { width, height, channels } = b.info;
    const fitted = sharp(b.data, { raw: { width, height, channels } });
    b = await pixels(
      sharp(await fitted.resize(a.info.width, a.info.height, { fit: 'fill' }).png().toBuffer()),
    );
  }
  let sum = 0;
  for (let at = 0; at < a.data.length; at += 4) {
    // Colour counts as much as it is seen.
    const [alphaA = 0, alphaB = 0] = [a.data[at + 3], b.data[at + 3]];
    for (let c = 0; c < 3; c++) {
      sum += Math.abs((a.data[at + c] ?? 0) * alphaA - (b.data[at + c] ?? 0) * alphaB) / 255;
    }
    sum += Math.abs(alphaA - alphaB);
  }
  return { mean: sum / a.data.length, size };
}

/** The colour of one pixel of a rendition: [red, green, blue, alpha]. */
export async function pixelOf(image: Uint8Array, left: number, top: number): Promise<number[]> {
  return [...(await sharp(image).extract({ left, top, width: 1, height: 1 }).ensureAlpha().raw().toBuffer())];
}
