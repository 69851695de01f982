// clahe: contrast limited adaptive histogram equalisation, which brings out detail in dark and bright parts alike.

import { z } from 'zod';
import { looseNumber } from '../../lib/loose-scalar.ts';
import type { ImageOperation } from '../image-operation.ts';

const side = looseNumber(z.number().int().min(3).max(200)).describe(
  'Side of the square around each pixel within which contrast is raised, in pixels',
);
const params = z.strictObject({
  size: side.default(50),
  maxSlope: looseNumber(z.number().int().min(1).max(100))
    .default(3)
    .describe('How much contrast is raised at most: 1 hardly, 100 harshly'),
});

export const clahe: ImageOperation<typeof params> = {
  name: 'clahe',
  summary: 'Brings out detail in dark and bright parts alike.',
  params,
  query: { clahe: side.optional() },
  fromQuery: ({ clahe }) => (clahe === undefined ? undefined : { size: clahe as number }),
  examples: [
    {
      shows: 'against the light',
      params: { size: 50 },
      query: 'clahe=50',
      gives: { width: 1200, height: 800 },
    },
  ],
  async apply(image, { size: side, maxSlope }, size, tools) {
    if (size === undefined) throw new Error('clahe needs decoded pixels');
    // The square must lie within the picture.
    const width = Math.min(side, size.width);
    const height = Math.min(side, size.height);
    const raised = (): typeof image => image.clahe({ width, height, maxSlope });
    if (tools.opaque) return raised();
    // To sharp, transparency is one more channel to raise the contrast of: it is put back.
    const before = await tools.pixels(image.clone());
    const after = await tools.pixels(raised());
    if (before.channels === 4 && after.channels === 4) {
      for (let at = 3; at < after.data.length; at += 4) after.data[at] = before.data[at] ?? 0;
    }
    return tools.open(after);
  },
  size: (_params, size) => size,
  needs: () => 'pixels',
  frameByFrame: () => true,
  seconds: ({ size }) => 0.6 + size / 150,
};
