// Whether a file is of the kind that a recipe is for, as the server judges it.

import { IMAGE_TYPES } from './operations.ts';
import type { Recipe } from './operations.ts';

/** `mixed`: no file is of both kinds. */
export type Work = 'image' | 'video' | 'mixed';

/** FFmpeg reads these as clips. */
const MOVING_IMAGES: ReadonlySet<string> = new Set(['image/gif']);

export function workOf({ outputs }: Recipe): Work {
  const kinds = new Set(Object.values(outputs).map(({ type }) => IMAGE_TYPES.has(type)));
  if (kinds.size > 1) return 'mixed';
  return kinds.has(true) ? 'image' : 'video';
}

/** Undefined where it fits, or nobody knows what the file is; else a sentence. */
export function misfit(mediaType: string | undefined, recipe: Recipe): string | undefined {
  const kind = mediaType?.split('/')[0];
  if (mediaType === undefined || (kind !== 'image' && kind !== 'video' && kind !== 'audio')) return undefined;
  const work = workOf(recipe);
  if (work === 'image' && kind !== 'image')
    return `Does not fit: it is ${mediaType}, and the recipe is for images.`;
  if (work === 'video' && kind === 'image' && !MOVING_IMAGES.has(mediaType))
    return `Does not fit: it is ${mediaType}, and the recipe is for videos and sounds.`;
  return undefined;
}
