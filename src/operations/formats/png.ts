// PNG: loses nothing, unless it is given a palette.

import { given, million } from './image-format-facts.ts';
import type { FormatFacts } from './image-format-facts.ts';

export const png: FormatFacts = {
  mediaType: 'image/png',
  label: 'PNG',
  alpha: true,
  animation: false,
  options: ['progressive', 'palette', 'effort', 'depth', 'keepProfile', 'keepCopyright'],
  quality: undefined,
  searchable: true,
  qualityUpTo: { pixels: 8 * million, because: 'a palette for so many pixels takes too long' },
  efforts: (pixels) => ({ of: [1, 3, 5, 7, 8, 9, 10], most: pixels <= 2 * million ? 10 : 7 }),
  encode: (image, { quality, palette, progressive, effort }) => {
    const asPalette = palette || (quality !== undefined && quality < 100);
    return image.png({
      ...(asPalette && { ...given({ quality }), palette: true, ...(effort !== undefined && { effort }) }),
      ...(progressive && { progressive }),
    });
  },
};
