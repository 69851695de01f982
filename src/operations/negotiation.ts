// Which formats a client takes, by its Accept header, and which of them is best for a picture.

import { parseAccept } from '../lib/accept.ts';
import { imageFormats } from './image-format.ts';
import type { ImageFormat } from './image-format.ts';

/** The formats that can be negotiated, best first. TIFF is shown by no browser. */
const NEGOTIABLE = ['avif', 'webp', 'jpeg', 'png', 'gif'] as const satisfies readonly ImageFormat[];
/** A wildcard is no promise to understand these: old clients send it too. */
const MUST_BE_NAMED: ReadonlySet<ImageFormat> = new Set(['avif', 'webp']);

/** How much a client wants each format, 0–1. Plain data: it crosses threads and makes cache keys. */
export type AcceptedFormats = Readonly<Partial<Record<ImageFormat, number>>>;

const EVERYTHING: AcceptedFormats = Object.fromEntries(NEGOTIABLE.map((format) => [format, 1]));

/** Whether an output's format depends on the request's Accept header, so that its answers say `Vary: Accept`. */
export function isNegotiated({ format }: { readonly format?: string | undefined }): boolean {
  return format === 'auto' || format === 'best';
}

/**
 * What an Accept header wants; always in the same order, so that equal wishes make equal keys. For `best`, a header
 * that speaks of no image type at all (as that of most command-line tools) excludes nothing.
 */
export function acceptedFormats(
  header: string | undefined,
  { format }: { readonly format?: string | undefined } = {},
): AcceptedFormats {
  if (format === 'best' && !(header ?? '').toLowerCase().includes('image/')) return EVERYTHING;
  const accepts = parseAccept(header);
  const entries = NEGOTIABLE.flatMap((format): [ImageFormat, number][] => {
    const { weight, named } = accepts(imageFormats[format].mediaType);
    return weight > 0 && (named || !MUST_BE_NAMED.has(format)) ? [[format, weight]] : [];
  });
  return Object.fromEntries(entries);
}

export interface Picture {
  readonly alpha: boolean;
  /** Of several frames that are to be kept. */
  readonly animated: boolean;
}

/**
 * The accepted formats, best first: what the client wants more, then what keeps more of the picture (animation,
 * transparency), then AVIF before WebP before JPEG before PNG before GIF. Empty where it accepts none.
 */
export function rankFormats(accepted: AcceptedFormats | undefined, picture: Picture): ImageFormat[] {
  const weight = (format: ImageFormat): number => (accepted === undefined ? 1 : (accepted[format] ?? 0));
  const loses = (format: ImageFormat): number => {
    const { animation, alpha } = imageFormats[format];
    return (picture.animated && !animation ? 2 : 0) + (picture.alpha && !alpha ? 1 : 0);
  };
  return NEGOTIABLE.filter((format) => weight(format) > 0).toSorted(
    (a, b) => weight(b) - weight(a) || loses(a) - loses(b),
  );
}
