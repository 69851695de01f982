// A recipe: the named outputs wanted from one source. A preset is a recipe kept under a name.

import { z } from 'zod';
import { imageOutputSchema } from '../operations/image.ts';
import type { ImageOutput } from '../operations/image.ts';
import { imageSetSchema, MAX_RENDITIONS } from '../operations/image-set.ts';
import type { ImageSetOutput } from '../operations/image-set.ts';
import { videoOutputSchema } from '../operations/video.ts';
import type { VideoOutput } from '../operations/video.ts';
import { Problem } from '../problems.ts';
import type { Lane } from './job.ts';

export type { ImageOutput, VideoOutput };

/** Becomes part of URLs and of file names in the store. */
const outputName = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9_-]{0,63}$/,
    'a name is 1–64 of a–z, 0–9, _ and -, and begins with a letter or digit',
  )
  // A plain object must never get such a key from a client.
  .refine(
    (name) => name !== '__proto__' && name !== 'constructor' && name !== 'prototype',
    'this name is reserved',
  );

export const MAX_OUTPUTS = 50;

export const recipeSchema = z.strictObject({
  outputs: z
    .record(
      outputName,
      z.discriminatedUnion('type', [imageOutputSchema, imageSetSchema, ...videoOutputSchema.options]),
    )
    .refine((outputs) => Object.keys(outputs).length > 0, 'at least one output is needed')
    .refine((outputs) => Object.keys(outputs).length <= MAX_OUTPUTS, `at most ${MAX_OUTPUTS} outputs`)
    .refine(
      (outputs) => countRenditions(Object.values(outputs)) <= MAX_RENDITIONS,
      `at most ${MAX_RENDITIONS} images, each width in each format of a set and each thumbnail counted`,
    ),
});
export type Recipe = z.output<typeof recipeSchema>;
export type Output = ImageOutput | ImageSetOutput | VideoOutput;

function countRenditions(outputs: readonly Output[]): number {
  return outputs.reduce((sum, output) => {
    if (output.type === 'image') return sum + 1;
    if (output.type === 'imageSet') return sum + output.widths.length * output.formats.length;
    // Each of these may be an FFmpeg run.
    if (output.type === 'thumbnail') return sum + (output.count ?? [output.at].flat().length);
    return sum;
  }, 0);
}

/** Whether an output is made of an image, and not of a video. */
export function isOfImage(output: Output): output is ImageOutput | ImageSetOutput {
  return output.type === 'image' || output.type === 'imageSet';
}

/** Image media types that a video output accepts too: FFmpeg reads them as clips. */
const MOVING_IMAGES = new Set(['image/gif']);

/** What a recipe wants, whatever its source may be. Throws `recipe_invalid` for one that mixes image and video outputs. */
export function workOf(recipe: Recipe): 'image' | 'video' {
  const entries = Object.entries(recipe.outputs);
  const images = entries.filter(([, output]) => isOfImage(output)).map(([name]) => name);
  if (images.length > 0 && images.length < entries.length) {
    throw new Problem(
      'recipe_invalid',
      `outputs ${images.join(', ')} are images, the others need a video. Send one job for images and one for videos; a still from a video is of type "thumbnail".`,
    );
  }
  return images.length > 0 ? 'image' : 'video';
}

/**
 * The lane that works on a recipe. Throws `recipe_invalid` for one that mixes image and video outputs, and
 * `media_type_unsupported` for one that does not fit the source, before anything is queued.
 */
export function laneFor(recipe: Recipe, mediaType: string): Lane {
  const lane = workOf(recipe);
  const isImage = mediaType.startsWith('image/');
  if (lane === 'image' && !isImage) {
    throw new Problem(
      'media_type_unsupported',
      `The file is ${mediaType}, but the recipe asks for outputs of type "image". For a still from a video use "thumbnail".`,
    );
  }
  if (lane === 'video' && isImage && !MOVING_IMAGES.has(mediaType)) {
    throw new Problem(
      'media_type_unsupported',
      `The file is ${mediaType}, but video outputs are asked for. Send images to POST /v1/images, or ask for outputs of type "image".`,
    );
  }
  return lane;
}

export function imageOutputs(recipe: Recipe): Record<string, ImageOutput | ImageSetOutput> {
  return pick(recipe, isOfImage);
}
export function videoOutputs(recipe: Recipe): Record<string, VideoOutput> {
  return pick(recipe, (output) => !isOfImage(output));
}
function pick<T extends Output>(recipe: Recipe, wanted: (output: Output) => boolean): Record<string, T> {
  return Object.fromEntries(Object.entries(recipe.outputs).filter(([, output]) => wanted(output))) as Record<
    string,
    T
  >;
}
