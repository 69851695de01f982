// GIF: 256 colours a frame, for what cannot show anything newer.

import { million } from './image-format-facts.ts';
import type { FormatFacts } from './image-format-facts.ts';

export const gif: FormatFacts = {
  mediaType: 'image/gif',
  label: 'GIF',
  alpha: true,
  animation: true,
  options: ['progressive', 'effort'],
  quality: undefined,
  searchable: false,
  maxPixels: 16 * million,
  qualityUpTo: { pixels: 0, because: 'GIF has none' },
  efforts: (pixels) => ({ of: [1, 2, 3, 5, 7, 8, 10], most: pixels <= 0.25 * million ? 10 : 1 }),
  encode: (image, { pixels, timing, progressive, effort }) =>
    image.gif({
      ...timing,
      ...(progressive && { progressive }),
      effort: effort ?? (pixels <= 0.25 * million ? 7 : 1),
    }),
};
