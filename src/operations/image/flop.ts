// flop: mirrors the image left to right.

import { z } from 'zod';
import { looseBoolean } from '../../lib/loose-scalar.ts';
import { PLACE } from '../image-operation.ts';
import type { ImageOperation } from '../image-operation.ts';

const params = z.strictObject({});

export const flop: ImageOperation<typeof params> = {
  name: 'flop',
  summary: 'Mirrors the image left to right.',
  params,
  query: { flop: looseBoolean(false).optional().describe('true mirrors the image left to right') },
  fromQuery: ({ flop }) => (flop === true ? {} : undefined),
  examples: [{ shows: 'left to right', params: {}, query: 'flop=true', gives: { width: 1200, height: 800 } }],
  apply: (image) => image.flop(),
  size: (_params, size) => size,
  place: () => [PLACE.flop, PLACE.flop],
};
