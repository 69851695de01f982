// grayscale: takes the colours away.

import { z } from 'zod';
import { looseBoolean } from '../../lib/loose-scalar.ts';
import type { ImageOperation } from '../image-operation.ts';
import { LUMA } from './luma.ts';

const params = z.strictObject({});

export const grayscale: ImageOperation<typeof params> = {
  name: 'grayscale',
  summary: 'Takes the colours away, and keeps how bright they are.',
  params,
  query: { grayscale: looseBoolean(false).optional().describe('true takes the colours away') },
  fromQuery: ({ grayscale }) => (grayscale === true ? {} : undefined),
  examples: [
    { shows: 'black and white', params: {}, query: 'grayscale=true', gives: { width: 1200, height: 800 } },
  ],
  apply: (image) => image.recomb(LUMA),
  size: (_params, size) => size,
};
