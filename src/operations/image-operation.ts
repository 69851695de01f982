// What an image operation is. One file in `image/` describes itself; everything else is derived from it.

import type { CreateText, Sharp } from 'sharp';
import type { z } from 'zod';

/** Pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** A decoded picture: 8-bit sRGB, row by row; the frames of an animation below one another. */
export interface Pixels extends Size {
  readonly data: Uint8Array;
  readonly channels: 1 | 2 | 3 | 4;
  readonly frames: number;
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
 * measured). Steps share a pipeline only while they rise in it; see image-plan.ts. The box (crop or padding) of a
 * resize comes after the turn, and `cut`, an extract that was asked for after a resize, after any rotation.
 */
export const PLACE = {
  crop: 1,
  flatten: 2,
  scale: 3,
  flip: 4,
  flop: 5,
  turn: 6,
  box: 7,
  rotate: 8,
  cut: 9,
  extend: 10,
  blur: 11,
  sharpen: 12,
} as const;

/** What the thread does for operations that take more than one pass of sharp, or other pictures. */
export interface Tools {
  /** The picture that reaches the step has no transparency. Known of decoded pixels only, else false. */
  readonly opaque: boolean;
  /** Runs what was added so far. */
  pixels(image: Sharp): Promise<Pixels>;
  open(pixels: Pixels): Sharp;
  /** Another picture that the step names: upright, fitted into a box, with alpha. Rejects with Problem. */
  asset(reference: string, box: Size & { readonly enlarge: boolean }): Promise<Pixels>;
  /** How much of each pixel the ink covers, 0–255, in one channel. `text` is Pango markup: escape it. */
  text(options: CreateText): Promise<Pixels>;
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
  /** … become these parameters, or undefined where none of them is given. Throws Problem `invalid_request`. */
  fromQuery(query: Readonly<Record<string, unknown>>): z.input<Schema> | undefined;
  readonly examples: readonly ImageExample<z.input<Schema>>[];
  /**
   * `size`: of the image as it reaches this step, upright, where that is known for certain. It is not while the
   * source is still undecoded, unless `needs` says so, and need not be: then the decoder's own arithmetic holds.
   * What takes more than one pass uses `tools`, and has no `place`.
   */
  apply(image: Sharp, params: z.output<Schema>, size: Size | undefined, tools: Tools): Sharp | Promise<Sharp>;
  /** The size after it, in pixels: bounds the work before any of it is done. Throws Problem (`crop_outside` …). */
  size(params: z.output<Schema>, size: Size): Size;
  /** `size` is only a bound: what comes out is known when it is done. */
  readonly sizeIsBound?: boolean;
  /** From where to where it lies in sharp's own order (`PLACE`). Without it, the step has a pipeline of its own. */
  place?(params: z.output<Schema>): readonly [first: number, last: number] | undefined;
  /** What must be there before it: the exact size, or decoded pixels (which bring the size). */
  needs?(params: z.output<Schema>): 'size' | 'pixels' | undefined;
  /** It may add transparent pixels to an opaque picture. */
  addsAlpha?(params: z.output<Schema>): boolean;
  /** What comes out of it is opaque. */
  readonly removesAlpha?: boolean;
  /** Sharp cannot do it to all frames of an animation at once, so it is done frame by frame. */
  frameByFrame?(params: z.output<Schema>): boolean;
  /**
   * What is done instead to an animation, where the operation makes no sense for one (without `params`: nothing), and
   * the sentence that says so.
   */
  forAnimation?(params: z.output<Schema>): { params?: z.output<Schema>; decision: string } | undefined;
  /** How many times smaller the picture may be decoded if this is its first step; ≥ 1. Without it: not at all. */
  shrink?(params: z.output<Schema>, size: Size): number;
  /** CPU seconds for a million pixels that come in, measured on one 2026 server core; where they are more than 0.05. */
  seconds?(params: z.output<Schema>): number;
  /** The other pictures it takes: `upload:{id}` or an https URL. */
  sources?(params: z.output<Schema>): readonly string[];
}
