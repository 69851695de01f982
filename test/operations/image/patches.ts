// Pictures of few colours, and what one step makes of them.

import sharp from 'sharp';
import type { Color } from 'sharp';
import type { ImageEngine } from '../../../src/engine-contracts.ts';
import { output, own } from '../../engines/pictures.ts';
import type { OutputWish } from '../../engines/pictures.ts';

export type Step = NonNullable<OutputWish['steps']>[number];

/** One colour, with rectangles of others on it, as PNG. */
export async function patches(
  width: number,
  height: number,
  background: Color,
  ...parts: { left: number; top: number; width: number; height: number; colour: Color }[]
): Promise<Buffer> {
  const create = (width: number, height: number, background: Color) =>
    sharp({ create: { width, height, channels: 4, background } });
  const overlays = await Promise.all(
    parts.map(async ({ left, top, width, height, colour }) => ({
      input: await create(width, height, colour).png().toBuffer(),
      left,
      top,
    })),
  );
  return create(width, height, background).composite(overlays).png().toBuffer();
}

export interface Looked {
  readonly width: number;
  readonly height: number;
  /** [red, green, blue, alpha] */
  readonly at: (x: number, y: number) => number[];
  readonly file: Uint8Array;
  readonly decisions: readonly string[];
}

/** What the engine makes of a picture, as PNG unless told otherwise, to be looked at. */
export async function made(
  engine: ImageEngine,
  source: Uint8Array,
  steps: Step[],
  { format = 'png', assets }: { format?: OutputWish['format']; assets?: Record<string, Uint8Array> } = {},
): Promise<Looked> {
  const options = assets && { assets: new Map(Object.entries(assets)) };
  const { images } = await engine.render(own(source), [output({ steps, format })], options);
  const [image] = images;
  if (image === undefined) throw new Error('no rendition');
  const { data, info } = await sharp(image.data).ensureAlpha().raw().toBuffer({ resolveWithObject: true });
  return {
    width: info.width,
    height: info.height,
    at: (x, y) => [...data.subarray((y * info.width + x) * 4, (y * info.width + x) * 4 + 4)],
    file: image.data,
    decisions: image.decisions,
  };
}

/** Whether two colours are as good as the same: no channel is further away than `by`. */
export function near(one: readonly number[], other: readonly number[], by = 3): boolean {
  return (
    one.length === other.length && one.every((value, index) => Math.abs(value - (other[index] ?? 0)) <= by)
  );
}
