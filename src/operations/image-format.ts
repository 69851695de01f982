// The file formats a picture can be written in, and what each costs and cannot do.

import type { Sharp } from 'sharp';

export const IMAGE_FORMATS = ['jpeg', 'png', 'webp', 'avif', 'gif'] as const;
export type ImageFormat = (typeof IMAGE_FORMATS)[number];

/** Milliseconds each frame is shown, and how often the animation is played (0: for ever). */
export interface Timing {
  readonly delay: number[];
  readonly loop: number;
}

export interface EncodeOptions {
  readonly quality: number | undefined;
  /** Of all frames. */
  readonly pixels: number;
  /** For an animation whose own timing got lost on the way. */
  readonly timing: Timing | undefined;
}

interface FormatFacts {
  readonly mediaType: string;
  /** As people write it. */
  readonly label: string;
  readonly alpha: boolean;
  readonly animation: boolean;
  /** Pixels, all frames together, that can surely be encoded well within the deadline of a task. */
  readonly maxPixels?: number;
  /** Up to so many pixels a quality is obeyed, and why not beyond. */
  readonly qualityUpTo?: { readonly pixels: number; readonly because: string };
  encode(image: Sharp, options: EncodeOptions): Sharp;
}

const million = 1_000_000;

/*
 * Seconds of CPU for a million pixels, photographs to noise, sharp 0.35 on one 2026 server core: JPEG 0.01–0.03, PNG
 * 0.05, with a palette 0.4, WebP 0.04–0.10 at effort 2 and 0.08–0.17 at 4; AVIF 0.07–0.3 at effort 0, 0.4–1.5 at 2,
 * 0.5–3 at 3 and 2.5–10 at 4, its default, for files 10 % smaller than at 0; GIF 0.3–0.45 at effort 1 and 1.2–6 at 7,
 * its default. A task has seconds, so effort goes down as pictures get larger, and the dear formats have a bound.
 */
export const imageFormats: Readonly<Record<ImageFormat, FormatFacts>> = {
  jpeg: {
    mediaType: 'image/jpeg',
    label: 'JPEG',
    alpha: false,
    animation: false,
    encode: (image, { quality }) => image.jpeg(given({ quality })),
  },
  png: {
    mediaType: 'image/png',
    label: 'PNG',
    alpha: true,
    animation: false,
    qualityUpTo: { pixels: 8 * million, because: 'a palette for so many pixels takes too long' },
    encode: (image, { quality }) =>
      image.png(quality === undefined || quality === 100 ? {} : { palette: true, quality }),
  },
  webp: {
    mediaType: 'image/webp',
    label: 'WebP',
    alpha: true,
    animation: true,
    encode: (image, { quality, pixels, timing }) =>
      image.webp({ ...given({ quality }), ...timing, effort: pixels <= 8 * million ? 4 : 2 }),
  },
  avif: {
    mediaType: 'image/avif',
    label: 'AVIF',
    alpha: true,
    animation: false,
    maxPixels: 16 * million,
    encode: (image, { quality, pixels }) =>
      image.avif({
        ...given({ quality }),
        effort: pixels <= 0.5 * million ? 3 : pixels <= 2 * million ? 2 : 0,
      }),
  },
  gif: {
    mediaType: 'image/gif',
    label: 'GIF',
    alpha: true,
    animation: true,
    maxPixels: 16 * million,
    qualityUpTo: { pixels: 0, because: 'GIF has none' },
    encode: (image, { pixels, timing }) => image.gif({ ...timing, effort: pixels <= 0.25 * million ? 7 : 1 }),
  },
};

/** What a source is written as when no format was asked for: as itself, if browsers show it. */
export function formatOf(mediaType: string, alpha: boolean): ImageFormat {
  const same = IMAGE_FORMATS.find((format) => imageFormats[format].mediaType === mediaType);
  return same ?? (alpha ? 'png' : 'jpeg');
}

function given({ quality }: { quality: number | undefined }): { quality?: number } {
  return quality === undefined ? {} : { quality };
}
