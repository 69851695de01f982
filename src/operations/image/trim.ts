// trim: cuts off borders of one colour.

import { z } from 'zod';
import { parseColour } from '../../lib/colour.ts';
import { looseBoolean, looseNumber } from '../../lib/loose-scalar.ts';
import type { ImageOperation } from '../image-operation.ts';
import { background } from './background.ts';

const threshold = looseNumber(z.number().min(0).max(255));

const params = z.strictObject({
  threshold: threshold
    .default(10)
    .describe('How far a colour may be from that of the border and still count as border: 0 to 255'),
  background: background
    .optional()
    .describe('Colour of the border. Without it: that of the left upper pixel'),
  margin: looseNumber(z.number().int().min(0).max(1000))
    .default(0)
    .describe('Pixels of the border that are left on every side'),
  lineArt: looseBoolean(false)
    .default(false)
    .describe('true for drawings: small specks and grain are not taken for border'),
});

export const trim: ImageOperation<typeof params> = {
  name: 'trim',
  summary: 'Cuts off borders of one colour; a picture of nothing else stays as it is.',
  params,
  query: {
    trim: z
      .string()
      .max(7)
      .regex(/^(?:true|false|\d{1,3}(?:\.\d{1,3})?)$/, 'write true, or the threshold: trim=25')
      .optional()
      .describe('true cuts off borders of one colour; a number is the threshold, 0 to 255'),
  },
  fromQuery({ trim }) {
    if (typeof trim !== 'string' || trim === 'false') return undefined;
    return trim === 'true' ? {} : { threshold: Number(trim) };
  },
  examples: [
    {
      shows: 'what has the colour of the left upper corner goes (here there is none)',
      params: {},
      query: 'trim=true',
      gives: { width: 1200, height: 800 },
    },
    {
      shows: 'a white border that was scanned, with some room left',
      params: { background: 'white', threshold: 25, margin: 4 },
      gives: { width: 1200, height: 800 },
    },
  ],
  apply(image, { threshold, background, margin, lineArt }, size) {
    // Sharp refuses less, and there is no border to speak of.
    if (size !== undefined && size.width < 3 && size.height < 3) return image;
    return image.trim({
      threshold,
      margin,
      lineArt,
      ...(background !== undefined && { background: parseColour(background) }),
    });
  },
  size: (_params, size) => size,
  sizeIsBound: true,
  seconds: ({ lineArt }) => (lineArt ? 0.05 : 0.3),
  // Sharp would take the corner before the picture is upright, and 16 bits for 8.
  needs: () => 'pixels',
  forAnimation: () => ({ decision: 'not trimmed: every frame of the animation has other borders' }),
};
