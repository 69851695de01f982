// What an image says of itself, read from its header: no decoder is trusted with bytes that were not looked at.

import { Problem } from '../problems.ts';
import { readAvif } from './image-header/avif.ts';
import { readGif } from './image-header/gif.ts';
import type { HeaderFacts } from './image-header/header-facts.ts';
import { readJpeg } from './image-header/jpeg.ts';
import { readPng } from './image-header/png.ts';
import { readSvg } from './image-header/svg.ts';
import { readTiff } from './image-header/tiff.ts';
import { readWebp } from './image-header/webp.ts';
import { describeSupported, sniff } from './media-type.ts';

const READERS = {
  'image/jpeg': readJpeg,
  'image/png': readPng,
  'image/webp': readWebp,
  'image/gif': readGif,
  'image/avif': readAvif,
  'image/heic': readAvif,
  'image/tiff': readTiff,
  'image/svg+xml': readSvg,
} as const satisfies Record<string, (view: DataView) => HeaderFacts>;

/** The types that may go to the decoder. */
export type DecodableType = keyof typeof READERS;

export interface ImageHeader extends HeaderFacts {
  readonly mediaType: DecodableType;
  /** Pixels as shown: after the EXIF orientation, or that of AVIF and HEIC. */
  readonly width: number;
  readonly height: number;
}

/** What we know of those that are recognised but not decoded. */
const REFUSED: Readonly<Record<string, string>> = {
  'image/svg+xml':
    'The file is SVG, a program more than a picture, and is not accepted. Send it as PNG or WebP.',
  'image/jxl': 'The file is JPEG XL, which this server cannot decode. Send it as JPEG, PNG, WebP or AVIF.',
};

/**
 * Reads the header without decoding anything, in time that grows at most with the number of bytes (GIF, WebP,
 * progressive JPEG, SVG), for most files in microseconds. SVG only where that is allowed. Throws Problem: `file_missing`, `media_type_unsupported`,
 * `image_unreadable`; nothing else, whatever the bytes are.
 */
export function readImageHeader(
  bytes: Uint8Array,
  { allowSvg = false }: { readonly allowSvg?: boolean } = {},
): ImageHeader {
  if (bytes.byteLength === 0) throw new Problem('file_missing', 'The file is empty.');
  const found = sniff(bytes);
  const mediaType = found?.mediaType ?? '';
  if (found === undefined || !isDecodable(mediaType) || (mediaType === 'image/svg+xml' && !allowSvg)) {
    throw new Problem('media_type_unsupported', REFUSED[mediaType] ?? refusal(mediaType));
  }
  try {
    const facts = READERS[mediaType](new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    if (facts.width < 1 || facts.height < 1) throw new RangeError('no pixels');
    const turned = facts.orientation >= 5;
    return {
      ...facts,
      mediaType,
      width: turned ? facts.height : facts.width,
      height: turned ? facts.width : facts.height,
    };
  } catch (error) {
    // DataView throws RangeError for whatever points outside the file, and the readers for whatever makes no sense.
    if (!(error instanceof RangeError)) throw error;
    throw new Problem(
      'image_unreadable',
      `The file begins like ${mediaType}, but its header is damaged or cut off. Send a whole, undamaged file.`,
      { cause: error },
    );
  }
}

export interface ImageLimits {
  /** Width × height × frames. */
  readonly maxPixels: number;
  readonly maxFrames: number;
}

/** A JPEG of 3,000 scans makes the decoder go over all its pixels 3,000 times; honest ones have up to some 20. */
const MAX_SCANS = 100;

/** Throws Problem `image_too_large`, `image_too_many_frames` or `image_too_complex` for what is too much to decode. */
export function screen(header: ImageHeader, { maxPixels, maxFrames }: ImageLimits): void {
  const { width, height, scans } = header;
  const frames = decodedFrames(header);
  if (width * height * frames > maxPixels) {
    const claim = `${width} × ${height} pixels${frames > 1 ? ` in each of ${frames} frames` : ''}`;
    throw new Problem(
      'image_too_large',
      `The image has ${claim}. At most ${millions(maxPixels)} million pixels are allowed, all frames together.`,
    );
  }
  if (frames > maxFrames) {
    throw new Problem(
      'image_too_many_frames',
      `The animation has ${frames} frames; at most ${maxFrames} are allowed. Send it as a video instead.`,
    );
  }
  if (scans > MAX_SCANS) {
    throw new Problem(
      'image_too_complex',
      `The JPEG has more than ${MAX_SCANS} scans. Save it again as a baseline or an ordinary progressive JPEG.`,
    );
  }
}

/** Frames that decoding the whole animation takes. The decoder reads the first page of a TIFF and the still of an APNG. */
export function decodedFrames(header: Pick<ImageHeader, 'mediaType' | 'frames'>): number {
  return header.mediaType === 'image/gif' || header.mediaType === 'image/webp' ? header.frames : 1;
}

function isDecodable(mediaType: string): mediaType is DecodableType {
  return Object.hasOwn(READERS, mediaType);
}

function refusal(mediaType: string): string {
  if (mediaType === '')
    return `The file begins like no kind of media that is supported. ${describeSupported()}`;
  return `The file is ${mediaType}, and an image is needed here. Videos and sound go to POST /v1/videos or /v1/jobs.`;
}

function millions(pixels: number): string {
  return String(Math.round(pixels / 10_000) / 100);
}
