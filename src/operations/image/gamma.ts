// gamma: brightens or darkens the middle tones; black and white stay.

import { z } from 'zod';
import { looseNumber } from '../../lib/loose-scalar.ts';
import type { ImageOperation } from '../image-operation.ts';

const gammaField = looseNumber(z.number().min(0.34).max(3)).describe(
  'Above 1 brightens the middle tones, below 1 darkens them: out = in ^ (1 / gamma)',
);
const params = z.strictObject({ gamma: gammaField });

export const gamma: ImageOperation<typeof params> = {
  name: 'gamma',
  summary: 'Brightens or darkens the middle tones; black stays black and white stays white.',
  params,
  query: { gamma: gammaField.optional() },
  fromQuery: ({ gamma }) => (gamma === undefined ? undefined : { gamma: gamma as number }),
  examples: [
    { shows: 'brighter', params: { gamma: 1.8 }, query: 'gamma=1.8', gives: { width: 1200, height: 800 } },
    { shows: 'darker', params: { gamma: 0.6 }, query: 'gamma=0.6', gives: { width: 1200, height: 800 } },
  ],
  // Sharp darkens with its first number, before it scales, and brightens with its second, after it.
  apply: (image, { gamma }) => (gamma < 1 ? image.gamma(1 / gamma, 1) : image.gamma(1, gamma)),
  size: (_params, size) => size,
};
