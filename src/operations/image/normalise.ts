// normalise: stretches the brightness so that it goes from black to white.

import { z } from 'zod';
import { looseBoolean, looseNumber } from '../../lib/loose-scalar.ts';
import type { ImageOperation } from '../image-operation.ts';

const params = z.strictObject({
  lower: looseNumber(z.number().int().min(0).max(49))
    .default(1)
    .describe('Percent of the pixels, the darkest, that become black'),
  upper: looseNumber(z.number().int().min(51).max(100))
    .default(99)
    .describe('Percent of the pixels below those, the brightest, that become white'),
});

export const normalise: ImageOperation<typeof params> = {
  name: 'normalise',
  summary: 'Stretches the brightness so that it goes from black to white; colours stay.',
  params,
  query: {
    normalise: looseBoolean(false)
      .optional()
      .describe('true stretches the brightness so that it goes from black to white'),
  },
  fromQuery: ({ normalise }) => (normalise === true ? {} : undefined),
  examples: [
    { shows: 'a dull photograph', params: {}, query: 'normalise=true', gives: { width: 1200, height: 800 } },
  ],
  apply: (image, { lower, upper }) => image.normalise({ lower, upper }),
  size: (_params, size) => size,
  seconds: () => 0.08,
};
