// sharpen: unsharp mask on the lightness, so that colours get no fringes.

import { z } from 'zod';
import { looseNumber } from '../../lib/loose-scalar.ts';
import { PLACE } from '../image-operation.ts';
import type { ImageOperation } from '../image-operation.ts';

const sigma = looseNumber(z.number().min(0.1).max(10)).describe(
  'Standard deviation of the Gaussian that finds the edges, in pixels: 0.5 for a small picture, 1 to 2 for a large one',
);
const params = z.strictObject({
  sigma: sigma.default(1),
  flat: looseNumber(z.number().min(0).max(10))
    .default(1)
    .describe('How much areas without edges are sharpened; less keeps noise down'),
  jagged: looseNumber(z.number().min(0).max(10)).default(2).describe('How much edges are sharpened'),
});

export const sharpen: ImageOperation<typeof params> = {
  name: 'sharpen',
  summary: 'Sharpens the picture.',
  params,
  query: { sharpen: sigma.optional() },
  fromQuery: ({ sharpen }) => (sharpen === undefined ? undefined : { sigma: sharpen as number }),
  examples: [
    { shows: 'gently', params: { sigma: 0.7 }, query: 'sharpen=0.7', gives: { width: 1200, height: 800 } },
    {
      shows: 'edges only',
      params: { sigma: 1.5, flat: 0, jagged: 3 },
      gives: { width: 1200, height: 800 },
    },
  ],
  apply: (image, { sigma, flat, jagged }) => image.sharpen({ sigma, m1: flat, m2: jagged }),
  size: (_params, size) => size,
  place: () => [PLACE.sharpen, PLACE.sharpen],
  frameByFrame: () => true,
  seconds: ({ sigma }) => 0.08 + sigma / 150,
};
