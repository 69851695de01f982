// What a file format is to the encoder: what it can hold, what it costs, and which options mean something in it.

import type { Sharp } from 'sharp';

/** The encoding options that not every format has. Their fields are in `encoding.ts`. */
export const FORMAT_OPTIONS = [
  'progressive',
  'mozjpeg',
  'chroma',
  'palette',
  'lossless',
  'nearLossless',
  'effort',
  'depth',
  'keepProfile',
  'keepGainMap',
  'keepCopyright',
] as const;
export type FormatOption = (typeof FORMAT_OPTIONS)[number];

/** Milliseconds each frame is shown, and how often the animation is played (0: for ever). */
export interface Timing {
  readonly delay: number[];
  readonly loop: number;
}

export interface EncodeOptions {
  /** Undefined: the format's own. */
  readonly quality: number | undefined;
  readonly progressive: boolean;
  readonly mozjpeg: boolean;
  readonly chroma: '4:2:0' | '4:4:4' | undefined;
  readonly palette: boolean;
  readonly lossless: boolean;
  readonly nearLossless: boolean;
  /** In the encoder's own scale; undefined: as much as the size affords. */
  readonly effort: number | undefined;
  /** Of all frames. */
  readonly pixels: number;
  /** For an animation whose own timing got lost on the way. */
  readonly timing: Timing | undefined;
}

export interface FormatFacts {
  readonly mediaType: string;
  /** As people write it. */
  readonly label: string;
  readonly alpha: boolean;
  readonly animation: boolean;
  readonly options: readonly FormatOption[];
  /** What sharp writes where no quality is asked for; undefined where it loses nothing. */
  readonly quality: number | undefined;
  /** A smaller quality makes smaller files, so that one can be searched. */
  readonly searchable: boolean;
  /** Pixels, all frames together, that can surely be encoded well within the deadline of a task. */
  readonly maxPixels?: number;
  /** Up to so many pixels a quality is obeyed, and why not beyond. */
  readonly qualityUpTo?: { readonly pixels: number; readonly because: string };
  /** The encoder's own effort for an `effort` of 0–6, and the most that so many pixels afford. */
  readonly efforts?: (pixels: number) => { readonly of: readonly number[]; readonly most: number };
  encode(image: Sharp, options: EncodeOptions): Sharp;
}

/** A quality as sharp takes it. */
export function given({ quality }: { readonly quality: number | undefined }): { quality?: number } {
  return quality === undefined ? {} : { quality };
}

export const million = 1_000_000;
