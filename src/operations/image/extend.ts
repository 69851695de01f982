// extend: adds room around the picture, filled with a colour, its edges, its mirror image or a blurred copy.

import type { OverlayOptions } from 'sharp';
import { z } from 'zod';
import { isGrey, parseColour } from '../../lib/colour.ts';
import { looseNumber } from '../../lib/loose-scalar.ts';
import { PLACE } from '../image-operation.ts';
import type { ImageOperation, Size } from '../image-operation.ts';
import { background } from './background.ts';

const FILLS = { colour: 'background', edge: 'copy', mirror: 'mirror', blur: undefined } as const;
type Fill = keyof typeof FILLS;

const side = looseNumber(z.number().int().min(0).max(16_383)).default(0);

const params = z.strictObject({
  top: side.describe('Pixels to add at the top'),
  right: side.describe('Pixels to add on the right'),
  bottom: side.describe('Pixels to add at the bottom'),
  left: side.describe('Pixels to add on the left'),
  fill: z
    .enum(Object.keys(FILLS) as [Fill, ...Fill[]])
    .default('colour')
    .describe(
      'What is there to be seen: colour (the background), edge (the outermost pixels, drawn out), mirror (the picture mirrored) or blur (the picture itself, large and blurred)',
    ),
  background: background.default('transparent'),
});
type Params = z.output<typeof params>;

/** Of the blurred copy: its sides are shrunk to this before, which makes the blur cheap and wide. */
const COPY_SIDE = 96;

export const extend: ImageOperation<typeof params> = {
  name: 'extend',
  summary: 'Adds room around the picture.',
  params,
  query: {
    pad: z
      .string()
      .max(30)
      .regex(
        /^\d{1,5}(?:,\d{1,5}(?:,\d{1,5},\d{1,5})?)?(?:,(?:colour|edge|mirror|blur))?$/,
        'write one number for all sides, two for top and bottom and left and right, or top,right,bottom,left; then, if wanted, edge, mirror or blur: pad=10,20,10,20,mirror',
      )
      .optional()
      .describe(
        'Adds room: pixels for all sides, or top,right,bottom,left; then, if wanted, how it is filled: colour (`background`), edge, mirror or blur',
      ),
    background: background.optional(),
  },
  fromQuery({ pad, background }) {
    if (typeof pad !== 'string') return undefined;
    const words = pad.split(',');
    const fill = /^\d/.test(words.at(-1) ?? '') ? undefined : words.pop();
    const [top, right = top, bottom = top, left = right] = words.map(Number);
    return { top, right, bottom, left, fill, background } as z.input<typeof params>;
  },
  examples: [
    {
      shows: 'a white frame',
      params: { top: 20, right: 20, bottom: 20, left: 20, background: 'white' },
      query: 'pad=20&background=white',
      gives: { width: 1240, height: 840 },
    },
    {
      shows: 'square, with a blurred copy above and below',
      params: { top: 200, bottom: 200, fill: 'blur' },
      query: 'pad=200,0,200,0,blur',
      gives: { width: 1200, height: 1200 },
    },
    {
      shows: 'mirrored at the right edge',
      params: { right: 100, fill: 'mirror' },
      query: 'pad=0,100,0,0,mirror',
      gives: { width: 1300, height: 800 },
    },
  ],
  async apply(image, params, size, tools) {
    const { top, right, bottom, left, fill } = params;
    if (top + right + bottom + left === 0) return image;
    const extendWith = FILLS[fill];
    if (extendWith !== undefined) {
      const background = parseColour(params.background);
      return image.extend({ top, right, bottom, left, extendWith, background });
    }
    const picture = await tools.pixels(image);
    const { width, height } = this.size(params, size ?? picture);
    const { width: inner, height: tall, channels } = picture;
    const shrunk = copySize({ width, height });
    const small = await tools.pixels(tools.open(picture).resize({ ...shrunk, fit: 'cover' }));
    const soft = await tools.pixels(tools.open(small).blur(4));
    const behind = await tools.pixels(tools.open(soft).resize({ width, height, fit: 'fill' }));
    const whole = tools.open(behind).composite([
      // What is transparent in the picture stays so: nothing is behind it.
      ...(tools.opaque ? [] : [hole({ width: inner, height: tall }, left, top)]),
      {
        input: Buffer.from(picture.data.buffer, picture.data.byteOffset, picture.data.byteLength),
        raw: { width: inner, height: tall, channels },
        left,
        top,
      },
    ]);
    return tools.opaque ? whole.removeAlpha() : whole;
  },
  size: ({ top, right, bottom, left }, { width, height }) => ({
    width: width + left + right,
    height: height + top + bottom,
  }),
  place: ({ fill }) => (fill === 'blur' ? undefined : [PLACE.extend, PLACE.extend]),
  // In a file that has only grey, sharp would make the colour grey too; decoded pixels are always red, green and blue.
  needs: ({ fill, background }) =>
    fill === 'blur' || (fill === 'colour' && !isGrey(background)) ? 'pixels' : undefined,
  addsAlpha: ({ fill, background }: Params) => fill === 'colour' && parseColour(background).alpha < 1,
  frameByFrame: () => true,
};

function copySize({ width, height }: Size): Size {
  const times = Math.max(1, Math.max(width, height) / COPY_SIDE);
  return { width: Math.max(1, Math.round(width / times)), height: Math.max(1, Math.round(height / times)) };
}

function hole({ width, height }: Size, left: number, top: number): OverlayOptions {
  const create = { width, height, channels: 4, background: '#ffffff' } as const;
  return { input: { create }, left, top, blend: 'dest-out' };
}
