// What an image operation is. One file in `image/` describes itself; everything else is derived from it.

import type { Sharp } from 'sharp';
import type { z } from 'zod';

/** Pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface ImageExample<Params> {
  /** What a reader sees it do. */
  readonly shows: string;
  readonly params: Params;
  /** The same in a URL, where the operation has a short form. */
  readonly query?: string;
  /** The size that comes out of a 1200 × 800 source: run by the contract test. */
  readonly gives: Size;
}

/** One named transformation. Pure: no I/O, no state; `apply` only adds to a sharp pipeline. */
export interface ImageOperation<Schema extends z.ZodObject = z.ZodObject> {
  readonly name: string;
  /** One sentence for the reference and the console. */
  readonly summary: string;
  /** Strict: unknown fields are refused. Every number is bounded at both ends. */
  readonly params: Schema;
  /** Short form for URLs: these query parameters … */
  readonly query: z.ZodRawShape;
  /** … become these parameters, or undefined where none of them is given. */
  fromQuery(query: Readonly<Record<string, unknown>>): z.input<Schema> | undefined;
  readonly examples: readonly ImageExample<z.input<Schema>>[];
  /** `size` is that of the image as it reaches this step, upright. Throws Problem (`crop_outside` …). */
  apply(image: Sharp, params: z.output<Schema>, size: Size): Sharp;
  /** The size after it, in pixels: bounds the work before any of it is done. */
  size(params: z.output<Schema>, size: Size): Size;
}
