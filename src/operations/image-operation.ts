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

/**
 * The order in which sharp works within one pipeline, whatever the order of the calls (its pipeline.cc, and
 * measured). Steps share a pipeline only while they rise in it; see image-plan.ts. Flattening lies between
 * `crop` and `scale`, and the box (crop or padding) of a resize after the turn.
 */
export const PLACE = { crop: 1, scale: 2, flip: 3, flop: 4, turn: 5, box: 6, rotate: 7 } as const;

/** One named transformation. Pure: no I/O, no state; `apply` only adds to a sharp pipeline. */
export interface ImageOperation<Schema extends z.ZodObject = z.ZodObject> {
  readonly name: string;
  /** One sentence for the reference and the console. */
  readonly summary: string;
  /** Strict: unknown fields are refused. Every number is bounded at both ends. */
  readonly params: Schema;
  /** Short form for URLs: these query parameters … */
  readonly query: z.ZodRawShape;
  /** … become these parameters, or undefined where none of them is given. Throws Problem `invalid_request`. */
  fromQuery(query: Readonly<Record<string, unknown>>): z.input<Schema> | undefined;
  readonly examples: readonly ImageExample<z.input<Schema>>[];
  /**
   * `size`: of the image as it reaches this step, upright, where that is known for certain. It is not while the
   * source is still undecoded, and need not be: then the decoder's own arithmetic holds.
   */
  apply(image: Sharp, params: z.output<Schema>, size: Size | undefined): Sharp;
  /** The size after it, in pixels: bounds the work before any of it is done. Throws Problem (`crop_outside` …). */
  size(params: z.output<Schema>, size: Size): Size;
  /** From where to where it lies in sharp's own order (`PLACE`). Without it, the step has a pipeline of its own. */
  place?(params: z.output<Schema>): readonly [first: number, last: number];
  /** It may add transparent pixels to an opaque picture. */
  addsAlpha?(params: z.output<Schema>): boolean;
  /** Sharp cannot do it to all frames of an animation at once, so it is done frame by frame. */
  frameByFrame?(params: z.output<Schema>): boolean;
  /** What is done instead to an animation, where the operation makes no sense for one, and the sentence that says so. */
  forAnimation?(params: z.output<Schema>): { params: z.output<Schema>; decision: string } | undefined;
  /** How many times smaller the picture may be decoded if this is its first step; ≥ 1. Without it: not at all. */
  shrink?(params: z.output<Schema>, size: Size): number;
}
