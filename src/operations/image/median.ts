// median: every pixel becomes the median of those around it, which removes specks and keeps edges.

import { z } from 'zod';
import { looseNumber } from '../../lib/loose-scalar.ts';
import type { ImageOperation } from '../image-operation.ts';

const size = looseNumber(z.number().int().min(2).max(15)).describe(
  'Side of the square around each pixel, in pixels: 3 removes specks, 9 and more paint',
);
const params = z.strictObject({ size: size.default(3) });

export const median: ImageOperation<typeof params> = {
  name: 'median',
  summary: 'Removes specks and noise, and keeps edges.',
  params,
  query: { median: size.optional() },
  fromQuery: ({ median }) => (median === undefined ? undefined : { size: median as number }),
  examples: [
    { shows: 'without specks', params: { size: 3 }, query: 'median=3', gives: { width: 1200, height: 800 } },
  ],
  apply: (image, { size }) => image.median(size),
  size: (_params, size) => size,
  needs: () => 'pixels',
  frameByFrame: () => true,
  seconds: () => 0.3,
};
