// blur: a Gaussian blur.

import { z } from 'zod';
import { looseNumber } from '../../lib/loose-scalar.ts';
import { PLACE } from '../image-operation.ts';
import type { ImageOperation } from '../image-operation.ts';

const sigma = looseNumber(z.number().min(0.3).max(100)).describe(
  'Standard deviation of the Gaussian in pixels: 0.3 (hardly to be seen) to 100',
);
const params = z.strictObject({ sigma });

/**
 * The work of a blur grows with sigma, and what is left after one has no detail: so above this the picture is
 * shrunk, blurred by as much less, and enlarged.
 */
const LARGE = 8;

export const blur: ImageOperation<typeof params> = {
  name: 'blur',
  summary: 'Blurs the picture.',
  params,
  query: { blur: sigma.optional() },
  fromQuery: ({ blur }) => (blur === undefined ? undefined : { sigma: blur as number }),
  examples: [
    { shows: 'softly', params: { sigma: 3 }, query: 'blur=3', gives: { width: 1200, height: 800 } },
    {
      shows: 'beyond recognition',
      params: { sigma: 60 },
      query: 'blur=60',
      gives: { width: 1200, height: 800 },
    },
  ],
  async apply(image, { sigma }, size, tools) {
    if (sigma <= LARGE || size === undefined) return image.blur(sigma);
    const { width, height } = size;
    const times = sigma / (LARGE / 2);
    const small = await tools.pixels(
      image.resize({
        width: Math.max(1, Math.round(width / times)),
        height: Math.max(1, Math.round(height / times)),
        fit: 'fill',
      }),
    );
    const soft = await tools.pixels(tools.open(small).blur(LARGE / 2));
    return tools.open(soft).resize({ width, height, fit: 'fill', kernel: 'cubic' });
  },
  size: (_params, size) => size,
  place: ({ sigma }) => (sigma <= LARGE ? [PLACE.blur, PLACE.blur] : undefined),
  needs: ({ sigma }) => (sigma <= LARGE ? undefined : 'pixels'),
  frameByFrame: () => true,
};
