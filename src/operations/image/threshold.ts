// threshold: black or white, nothing between.

import { z } from 'zod';
import { looseNumber } from '../../lib/loose-scalar.ts';
import type { ImageOperation } from '../image-operation.ts';
import { LUMA } from './luma.ts';

const level = looseNumber(z.number().int().min(1).max(255)).describe(
  'Brightness from which a pixel is white: 1 to 255',
);
const params = z.strictObject({ level: level.default(128) });

export const threshold: ImageOperation<typeof params> = {
  name: 'threshold',
  summary: 'Makes every pixel black or white. Transparency stays.',
  params,
  query: { threshold: level.optional() },
  fromQuery: ({ threshold }) => (threshold === undefined ? undefined : { level: threshold as number }),
  examples: [
    {
      shows: 'as a stamp',
      params: { level: 110 },
      query: 'threshold=110',
      gives: { width: 1200, height: 800 },
    },
  ],
  // Sharp's own threshold takes transparency for brightness too. This slope leaves nothing between.
  apply: (image, { level }) => image.recomb(LUMA).linear(255, 255 * (1 - level)),
  size: (_params, size) => size,
  needs: () => 'pixels',
};
