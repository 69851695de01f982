// tint: one colour in all shades, as old photographs have it.

import { z } from 'zod';
import { parseColour } from '../../lib/colour.ts';
import type { ImageOperation } from '../image-operation.ts';
import { background } from './background.ts';

const colour = background.describe('The colour that everything takes on: hex digits or a name');
const params = z.strictObject({ colour });

export const tint: ImageOperation<typeof params> = {
  name: 'tint',
  summary: 'Gives the whole picture one colour, in all its shades.',
  params,
  query: { tint: colour.optional() },
  fromQuery: ({ tint }) => (tint === undefined ? undefined : { colour: tint as string }),
  examples: [
    {
      shows: 'sepia',
      params: { colour: 'b58a4b' },
      query: 'tint=b58a4b',
      gives: { width: 1200, height: 800 },
    },
  ],
  apply: (image, { colour }) => image.tint(parseColour(colour)),
  size: (_params, size) => size,
  needs: () => 'pixels',
};
