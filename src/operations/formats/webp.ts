// WebP: lossy, nearly lossless or lossless; transparent and animated.

import { given, million } from './image-format-facts.ts';
import type { FormatFacts } from './image-format-facts.ts';

const usual = (pixels: number): number => (pixels <= 8 * million ? 4 : 2);

export const webp: FormatFacts = {
  mediaType: 'image/webp',
  label: 'WebP',
  alpha: true,
  animation: true,
  options: ['lossless', 'nearLossless', 'effort', 'keepProfile', 'keepCopyright'],
  quality: 80,
  searchable: true,
  efforts: (pixels) => ({ of: [0, 1, 2, 3, 4, 5, 6], most: pixels <= 4 * million ? 6 : usual(pixels) }),
  encode: (image, { quality, lossless, nearLossless, effort, pixels, timing }) =>
    image.webp({
      ...given({ quality }),
      ...timing,
      ...(lossless && { lossless }),
      ...(nearLossless && { nearLossless }),
      effort: effort ?? usual(pixels),
    }),
};
