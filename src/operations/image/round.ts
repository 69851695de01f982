// round: rounded corners, or the whole picture as an ellipse or a circle.

import type { OverlayOptions } from 'sharp';
import { z } from 'zod';
import { looseNumber } from '../../lib/loose-scalar.ts';
import type { ImageOperation, Size } from '../image-operation.ts';

const params = z.strictObject({
  shape: z
    .enum(['corners', 'ellipse', 'circle'])
    .default('corners')
    .describe(
      'corners: each gets the radius. ellipse: as large as the picture. circle: the largest that fits, in the middle; the picture becomes a square',
    ),
  radius: looseNumber(z.number().int().min(1).max(8192))
    .default(24)
    .describe('Of the corners in pixels; half of the shorter side at most'),
});
type Params = z.output<typeof params>;

export const round: ImageOperation<typeof params> = {
  name: 'round',
  summary: 'Rounds the corners, or cuts out an ellipse or a circle; what goes is transparent.',
  params,
  query: {
    round: z
      .string()
      .max(7)
      .regex(
        /^(?:[1-9]\d{0,3}|ellipse|circle)$/,
        'write a radius in pixels, ellipse or circle, e.g. round=24',
      )
      .optional()
      .describe('Radius of the corners in pixels, or ellipse, or circle (which makes a square)'),
  },
  fromQuery({ round }) {
    if (typeof round !== 'string') return undefined;
    return /^\d/.test(round) ? { radius: Number(round) } : ({ shape: round } as z.input<typeof params>);
  },
  examples: [
    {
      shows: 'rounded corners',
      params: { radius: 40 },
      query: 'round=40',
      gives: { width: 1200, height: 800 },
    },
    {
      shows: 'a portrait',
      params: { shape: 'circle' },
      query: 'round=circle',
      gives: { width: 800, height: 800 },
    },
  ],
  apply(image, params, size) {
    if (size === undefined) throw new Error('round needs decoded pixels');
    const kept = this.size(params, size);
    const left = Math.floor((size.width - kept.width) / 2);
    const top = Math.floor((size.height - kept.height) / 2);
    return image.extract({ left, top, ...kept }).composite(corners(params, kept));
  },
  size({ shape }, { width, height }) {
    const side = Math.min(width, height);
    return shape === 'circle' ? { width: side, height: side } : { width, height };
  },
  needs: () => 'pixels',
  addsAlpha: () => true,
  frameByFrame: () => true,
};

/** Four pictures of what is to go, one for each corner: much smaller than a mask of all. */
function corners({ shape, radius }: Params, { width, height }: Size): OverlayOptions[] {
  const most = Math.min(width, height) / 2;
  const [across, down] =
    shape === 'corners' ? [Math.min(radius, most), Math.min(radius, most)] : [width / 2, height / 2];
  const [right, bottom] = [Math.ceil(across), Math.ceil(down)];
  return [0, 1, 2, 3].map((corner) => {
    const [isRight, isBottom] = [corner % 2 === 1, corner > 1];
    const input = Buffer.alloc(right * bottom * 4);
    for (let y = 0; y < bottom; y++) {
      for (let x = 0; x < right; x++) {
        const column = isRight ? right - 1 - x : x;
        const row = isBottom ? bottom - 1 - y : y;
        input[(row * right + column) * 4 + 3] = Math.round(255 * (1 - covered(x, y, across, down)));
      }
    }
    return {
      input,
      raw: { width: right, height: bottom, channels: 4 },
      left: isRight ? width - right : 0,
      top: isBottom ? height - bottom : 0,
      blend: 'dest-out',
    };
  });
}

/** How much of the pixel lies within the ellipse whose left upper quarter this is: 0 to 1. */
function covered(x: number, y: number, across: number, down: number): number {
  const [dx, dy] = [(across - x - 0.5) / across, (down - y - 0.5) / down];
  if (dx <= 0 || dy <= 0) return 1;
  const distance = Math.hypot(dx, dy);
  // To first order: the distance from the edge in pixels is the excess by the length of its gradient.
  const slope = Math.hypot(dx / across, dy / down) / distance;
  return Math.min(1, Math.max(0, (1 - distance) / slope + 0.5));
}
