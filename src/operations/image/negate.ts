// negate: the negative.

import { z } from 'zod';
import { looseBoolean } from '../../lib/loose-scalar.ts';
import type { ImageOperation } from '../image-operation.ts';

const params = z.strictObject({});

export const negate: ImageOperation<typeof params> = {
  name: 'negate',
  summary: 'Makes the negative: black becomes white. Transparency stays.',
  params,
  query: { negate: looseBoolean(false).optional().describe('true makes the negative') },
  fromQuery: ({ negate }) => (negate === true ? {} : undefined),
  examples: [
    { shows: 'the negative', params: {}, query: 'negate=true', gives: { width: 1200, height: 800 } },
  ],
  apply: (image) => image.negate({ alpha: false }),
  size: (_params, size) => size,
};
