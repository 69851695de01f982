// flatten: puts a colour behind what is transparent.

import { z } from 'zod';
import { parseColour } from '../../lib/colour.ts';
import { PLACE } from '../image-operation.ts';
import type { ImageOperation } from '../image-operation.ts';
import { background } from './background.ts';

const opaque = background.describe(
  'The colour behind: hex digits or a name, as for background. Its own transparency does not count',
);
const params = z.strictObject({ background: opaque.default('white') });

export const flatten: ImageOperation<typeof params> = {
  name: 'flatten',
  summary: 'Puts a colour behind what is transparent.',
  params,
  query: { flatten: opaque.optional() },
  fromQuery: ({ flatten }) => (flatten === undefined ? undefined : { background: flatten as string }),
  examples: [
    {
      shows: 'on a dark page',
      params: { background: '202020' },
      query: 'flatten=202020',
      gives: { width: 1200, height: 800 },
    },
  ],
  apply: (image, { background }) => image.flatten({ background: { ...parseColour(background), alpha: 1 } }),
  size: (_params, size) => size,
  place: () => [PLACE.flatten, PLACE.flatten],
  removesAlpha: true,
};
