// TIFF: for printing and archives. Lossless, or JPEG inside where a quality is asked for.

import type { FormatFacts } from './image-format-facts.ts';

export const tiff: FormatFacts = {
  mediaType: 'image/tiff',
  label: 'TIFF',
  alpha: true,
  animation: false,
  options: ['depth', 'keepProfile'],
  quality: undefined,
  searchable: false,
  qualityUpTo: { pixels: 0, because: 'TIFF is written without loss' },
  encode: (image) => image.tiff({ compression: 'deflate', predictor: 'horizontal' }),
};
