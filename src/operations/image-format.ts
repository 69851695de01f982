// The table of file formats that a picture can be written in.

import { avif } from './formats/avif.ts';
import { gif } from './formats/gif.ts';
import type { FormatFacts } from './formats/image-format-facts.ts';
import { jpeg } from './formats/jpeg.ts';
import { png } from './formats/png.ts';
import { tiff } from './formats/tiff.ts';
import { webp } from './formats/webp.ts';

export const IMAGE_FORMATS = ['jpeg', 'png', 'webp', 'avif', 'gif', 'tiff'] as const;
export type ImageFormat = (typeof IMAGE_FORMATS)[number];

/*
 * Seconds of CPU for a million pixels, photographs to noise, sharp 0.35 on one 2026 server core: JPEG 0.01–0.03, PNG
 * 0.05, with a palette 0.4, WebP 0.04–0.10 at effort 2 and 0.08–0.17 at 4; AVIF 0.07–0.3 at effort 0, 0.4–1.5 at 2,
 * 0.5–3 at 3 and 2.5–10 at 4, its default, for files 10 % smaller than at 0; GIF 0.3–0.45 at effort 1 and 1.2–6 at 7,
 * its default. A task has seconds, so effort goes down as pictures get larger, and the dear formats have a bound.
 */
export const imageFormats: Readonly<Record<ImageFormat, FormatFacts>> = { jpeg, png, webp, avif, gif, tiff };

/** What a source is written as when no format was asked for: as itself, if browsers show it. */
export function formatOf(mediaType: string, alpha: boolean): ImageFormat {
  const same = IMAGE_FORMATS.find((format) => imageFormats[format].mediaType === mediaType);
  return same === undefined || same === 'tiff' ? (alpha ? 'png' : 'jpeg') : same;
}
