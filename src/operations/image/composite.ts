// composite: puts another picture on it, as a watermark, in a pattern, or as a mask.

import { z } from 'zod';
import { looseBoolean, looseNumber } from '../../lib/loose-scalar.ts';
import type { ImageOperation, Pixels, Size } from '../image-operation.ts';
import { compassOf } from './gravity.ts';
import { CUTS, fade, gravity, overlayFields, put } from './overlay.ts';

const BLENDS = [
  'over',
  'atop',
  'dest-over',
  'dest-in',
  'dest-out',
  'multiply',
  'screen',
  'overlay',
  'darken',
  'lighten',
  'colour-dodge',
  'colour-burn',
  'hard-light',
  'soft-light',
  'difference',
  'exclusion',
  'add',
] as const;

/** `upload:{id}` of this server, or an address. Which of them may be read is the settings' matter. */
const SOURCE = String.raw`(?:upload:[A-Za-z0-9_-]{1,64}|https:\/\/[^\s\x00-\x1f]{1,2000})`;

const params = z.strictObject({
  source: z
    .string()
    .max(2048)
    .regex(new RegExp(`^${SOURCE}$`), 'write upload: and the id of an upload, or an https URL')
    .describe('The other picture: `upload:{id}`, or an https URL that the server may fetch'),
  gravity: gravity.default('southeast').describe('Where it goes: a compass direction, or centre'),
  ...overlayFields,
  scale: looseNumber(z.number().min(0.01).max(1))
    .optional()
    .describe('Its width as a part of the width of the picture. Without it: as large as it is, or as fits'),
  tile: looseBoolean(false)
    .default(false)
    .describe('true repeats it all over the picture, x and y pixels apart, beginning at the gravity'),
  blend: z
    .enum(BLENDS)
    .default('over')
    .describe(
      'How the colours mix. dest-over: behind the picture. dest-in and dest-out: as a mask, of which the picture keeps what is covered, or what is not',
    ),
});

export const composite: ImageOperation<typeof params> = {
  name: 'composite',
  summary: 'Puts another picture on it: a watermark, a pattern, a mask.',
  params,
  query: {
    watermark: z
      .string()
      .max(2100)
      .regex(
        new RegExp(String.raw`^[a-z]{3,9},(?:0\.\d{1,3}|1),(?:0(?:\.\d{1,3})?|1),${SOURCE}$`),
        'write gravity,scale,opacity,source, e.g. watermark=southeast,0.2,0.8,upload:abc',
      )
      .optional()
      .describe('Puts another picture on it: gravity,scale,opacity,source; see the operation composite'),
  },
  fromQuery({ watermark }) {
    if (typeof watermark !== 'string') return undefined;
    const [gravity, scale, opacity, ...source] = watermark.split(',');
    return {
      gravity,
      scale: Number(scale),
      opacity: Number(opacity),
      source: source.join(','),
    } as z.input<typeof params>;
  },
  examples: [
    {
      shows: 'a mark in the lower right corner, a fifth as wide as the picture',
      params: { source: 'upload:logo', gravity: 'southeast', scale: 0.2, opacity: 0.8 },
      query: 'watermark=southeast,0.2,0.8,upload:logo',
      gives: { width: 1200, height: 800 },
    },
    {
      shows: 'all over, faintly',
      params: { source: 'upload:logo', tile: true, scale: 0.1, x: 40, y: 40, opacity: 0.2 },
      gives: { width: 1200, height: 800 },
    },
  ],
  async apply(image, params, size, tools) {
    if (size === undefined) throw new Error('composite needs decoded pixels');
    const { source, gravity, x, y, opacity, scale, tile, blend } = params;
    const box = {
      width: Math.max(1, Math.round(size.width * (scale ?? 1))),
      height: size.height,
      enlarge: scale !== undefined,
    };
    const overlay = fade(await tools.asset(source, box), opacity);
    if (!tile) return put(image, size, overlay, { gravity, x, y, blend }, tools);
    const spaced = withGap(overlay, Math.max(0, x), Math.max(0, y), size);
    const { data, width, height } = spaced;
    const tiled = image.composite([
      {
        input: Buffer.from(data.buffer, data.byteOffset, data.byteLength),
        raw: { width, height, channels: 4 },
        tile: true,
        gravity: compassOf(gravity),
        blend,
      },
    ]);
    return tools.opaque && !CUTS.has(blend) ? tiled.removeAlpha() : tiled;
  },
  size: (_params, size) => size,
  needs: () => 'pixels',
  addsAlpha: ({ blend }) => CUTS.has(blend),
  frameByFrame: () => true,
  sources: ({ source }) => [source],
};

/** With transparent room to the right and below, as far as that fits into the picture. */
function withGap(overlay: Pixels, x: number, y: number, size: Size): Pixels {
  const width = Math.min(size.width, overlay.width + x);
  const height = Math.min(size.height, overlay.height + y);
  const data = new Uint8Array(width * height * 4);
  for (let row = 0; row < overlay.height; row++) {
    const start = row * overlay.width * 4;
    data.set(overlay.data.subarray(start, start + overlay.width * 4), row * width * 4);
  }
  return { data, width, height, channels: 4, frames: 1 };
}
