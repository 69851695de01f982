// duotone: two colours and what lies between, from dark to bright.

import { z } from 'zod';
import { COLOUR_HINT, parseColour } from '../../lib/colour.ts';
import type { ImageOperation } from '../image-operation.ts';
import { background } from './background.ts';
import { LUMA } from './luma.ts';

const params = z.strictObject({
  shadows: background.describe('What black becomes: hex digits or a name'),
  highlights: background.describe('What white becomes: hex digits or a name'),
});

export const duotone: ImageOperation<typeof params> = {
  name: 'duotone',
  summary: 'Draws the picture in two colours, one for shadows and one for highlights.',
  params,
  query: {
    duotone: z
      .string()
      .max(40)
      .regex(/^[^,]{3,20},[^,]{3,20}$/, `write two colours, e.g. duotone=1b1f5e,ffd34e; ${COLOUR_HINT}`)
      .optional()
      .describe('Two colours, for shadows and for highlights'),
  },
  fromQuery({ duotone }) {
    if (typeof duotone !== 'string') return undefined;
    const [shadows = '', highlights = ''] = duotone.split(',');
    return { shadows, highlights };
  },
  examples: [
    {
      shows: 'blue and yellow',
      params: { shadows: '1b1f5e', highlights: 'ffd34e' },
      query: 'duotone=1b1f5e,ffd34e',
      gives: { width: 1200, height: 800 },
    },
  ],
  apply(image, params) {
    const [dark, bright] = [parseColour(params.shadows), parseColour(params.highlights)];
    const shades = (['r', 'g', 'b'] as const).map((channel) => [dark[channel], bright[channel]] as const);
    return image.recomb(LUMA).linear(
      shades.map(([from, to]) => (to - from) / 255),
      shades.map(([from]) => from),
    );
  },
  size: (_params, size) => size,
  needs: () => 'pixels',
};
