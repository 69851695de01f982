// flip: mirrors the image top to bottom.

import { z } from 'zod';
import { looseBoolean } from '../../lib/loose-scalar.ts';
import { PLACE } from '../image-operation.ts';
import type { ImageOperation } from '../image-operation.ts';

const params = z.strictObject({});

export const flip: ImageOperation<typeof params> = {
  name: 'flip',
  summary: 'Mirrors the image top to bottom.',
  params,
  query: { flip: looseBoolean(false).optional().describe('true mirrors the image top to bottom') },
  fromQuery: ({ flip }) => (flip === true ? {} : undefined),
  examples: [{ shows: 'top to bottom', params: {}, query: 'flip=true', gives: { width: 1200, height: 800 } }],
  apply: (image) => image.flip(),
  size: (_params, size) => size,
  place: () => [PLACE.flip, PLACE.flip],
  // All frames lie in one strip: to flip it would play the animation backwards as well.
  frameByFrame: () => true,
};
