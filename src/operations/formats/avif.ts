// AVIF: the smallest files, and by far the dearest ones.

import { given, million } from './image-format-facts.ts';
import type { FormatFacts } from './image-format-facts.ts';

const usual = (pixels: number): number => (pixels <= 0.5 * million ? 3 : pixels <= 2 * million ? 2 : 0);

export const avif: FormatFacts = {
  mediaType: 'image/avif',
  label: 'AVIF',
  alpha: true,
  animation: false,
  options: ['chroma', 'lossless', 'effort', 'keepProfile', 'keepCopyright'],
  quality: 50,
  searchable: true,
  maxPixels: 16 * million,
  efforts: (pixels) => ({ of: [0, 1, 2, 3, 4, 5, 6], most: pixels <= 0.5 * million ? 4 : usual(pixels) }),
  encode: (image, { quality, lossless, chroma, effort, pixels }) =>
    image.avif({
      ...given({ quality }),
      ...(lossless && { lossless }),
      ...(chroma !== undefined && { chromaSubsampling: chroma }),
      effort: effort ?? usual(pixels),
    }),
};
