// text: writes on the picture, in one of the fonts that come with the server.

import { z } from 'zod';
import { parseColour } from '../../lib/colour.ts';
import { escapeMarkup } from '../../lib/escape-markup.ts';
import { looseNumber } from '../../lib/loose-scalar.ts';
import { Problem } from '../../problems.ts';
import type { ImageOperation, Size } from '../image-operation.ts';
import { background } from './background.ts';
import { FACES, faceOf } from './faces.ts';
import type { Face } from './faces.ts';
import { inked } from './ink.ts';
import { fade, gravity, overlayFields, put } from './overlay.ts';

const MAX_LENGTH = 500;
const MAX_LINES = 20;
/** Of the rectangle that the letters are drawn in. */
const MAX_PIXELS = 16_000_000;

const params = z.strictObject({
  text: z
    .string()
    .max(MAX_LENGTH)
    .regex(/^[^\p{Cc}\p{Cs}]*(?:\n[^\p{Cc}\p{Cs}]*)*$/u, 'must be text, without control characters')
    // Marks over marks over marks make a line as high as a tower.
    .regex(/^(?!.*\p{M}{5})/su, 'has at most four marks on one letter')
    .regex(/[\p{L}\p{N}\p{P}\p{S}]/u, 'must have something to be seen')
    .refine((text) => text.split('\n').length <= MAX_LINES, `has at most ${MAX_LINES} lines`)
    .describe(
      'What is written, as it is: no markup is read. Line breaks are kept. Arabic and Hebrew run from right to left by themselves. Characters that the font lacks (Chinese, Japanese, Korean, emoji) come from the fonts of the machine where it has any, else they are boxes',
    ),
  font: z
    .enum(Object.keys(FACES) as [Face, ...Face[]])
    .default('sans')
    .describe('A face of the DejaVu fonts, which come with the server'),
  size: looseNumber(z.number().int().min(4).max(500)).default(32).describe('Of the letters in pixels'),
  width: looseNumber(z.number().int().min(1).max(16_383))
    .optional()
    .describe('Pixels at which lines are broken. Without it, and at most: the width of the picture'),
  align: z
    .enum(['start', 'centre', 'end'])
    .default('start')
    .describe('Of the lines among themselves; the start is on the right where the script runs from there'),
  colour: background.default('white').describe('Colour of the letters: hex digits or a name'),
  outline: looseNumber(z.number().int().min(0).max(20))
    .default(0)
    .describe('Width of a line around the letters in pixels'),
  outlineColour: background.default('black').describe('Colour of that line: hex digits or a name'),
  gravity: gravity.default('south').describe('Where it goes: a compass direction, or centre'),
  ...overlayFields,
});
type Params = z.output<typeof params>;

export const text: ImageOperation<typeof params> = {
  name: 'text',
  summary: 'Writes on the picture.',
  params,
  query: {
    text: z
      .string()
      .max(MAX_LENGTH + 60)
      .regex(
        /^[a-z]{3,9},\d{1,3},[^,]{1,20},[^]+$/,
        'write gravity,size,colour,text, e.g. text=south,48,white,Hello',
      )
      .optional()
      .describe('Writes on the picture: gravity,size,colour,text; see the operation text'),
  },
  fromQuery({ text }) {
    if (typeof text !== 'string') return undefined;
    const [gravity, size, colour, ...words] = text.split(',');
    return { gravity, size: Number(size), colour, text: words.join(',') } as z.input<typeof params>;
  },
  examples: [
    {
      shows: 'a caption',
      params: { text: 'Good morning, Zürich', size: 48, gravity: 'south', colour: 'white' },
      query: 'text=south,48,white,Good%20morning,%20Z%C3%BCrich',
      gives: { width: 1200, height: 800 },
    },
    {
      shows: 'with an outline, on several lines, from the right',
      params: { text: 'שלום עולם\nمرحبا بالعالم', size: 40, outline: 3, align: 'start', y: 24 },
      gives: { width: 1200, height: 800 },
    },
  ],
  async apply(image, params, size, tools) {
    if (size === undefined) throw new Error('text needs decoded pixels');
    const { gravity, x, y, outline, opacity } = params;
    const { family, file } = faceOf(params.font);
    const ink = await tools.text({
      text: escapeMarkup(params.text),
      font: `${family} ${params.size}`,
      fontfile: file,
      width: wrapAt(params, size),
      wrap: 'word-char',
      align: ({ start: 'left', centre: 'centre', end: 'right' } as const)[params.align],
      dpi: 72,
    });
    if (ink.width * ink.height > MAX_PIXELS) throw tooMuch();
    const overlay = inked(ink, parseColour(params.colour), outline, parseColour(params.outlineColour));
    return put(image, size, fade(overlay, opacity), { gravity, x, y, blend: 'over' }, tools);
  },
  size(params, size) {
    const { text, size: letter } = params;
    const width = wrapAt(params, size);
    // Each line that was broken is nearly full; each that was asked for may be empty.
    const lines = text.split('\n').length + Math.ceil((text.length * letter * 1.3) / width);
    if (width * lines * letter * 1.4 > MAX_PIXELS) {
      throw tooMuch();
    }
    return size;
  },
  needs: () => 'pixels',
  frameByFrame: () => true,
};

function tooMuch(): Problem {
  return new Problem(
    'rendition_too_large',
    `The text would fill more than ${MAX_PIXELS} pixels. Make it shorter, smaller or less wide.`,
  );
}

function wrapAt({ width }: Params, size: Size): number {
  return Math.min(width ?? size.width, size.width);
}
