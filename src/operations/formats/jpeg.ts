// JPEG: what every browser shows, without transparency.

import { given } from './image-format-facts.ts';
import type { FormatFacts } from './image-format-facts.ts';

export const jpeg: FormatFacts = {
  mediaType: 'image/jpeg',
  label: 'JPEG',
  alpha: false,
  animation: false,
  options: ['progressive', 'mozjpeg', 'chroma', 'keepProfile', 'keepGainMap', 'keepCopyright'],
  quality: 80,
  searchable: true,
  encode: (image, { quality, progressive, mozjpeg, chroma }) =>
    image.jpeg({
      ...given({ quality }),
      ...(chroma !== undefined && { chromaSubsampling: chroma }),
      ...(progressive && { progressive }),
      ...(mozjpeg && { mozjpeg }),
    }),
};
