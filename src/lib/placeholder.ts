// What a page can show while a picture is still coming: BlurHash and ThumbHash, of a small RGBA picture.

import { encode } from 'blurhash';
import { rgbaToThumbHash } from 'thumbhash';

/** Longest side in pixels of what is given to them: ThumbHash takes no more, and BlurHash gains nothing of more. */
export const PLACEHOLDER_SIDES = { thumbhash: 100, blurhash: 32 } as const;

/** Four components along the longer side and three along the shorter; what is transparent counts as white. */
export function blurhashOf(rgba: Uint8Array, width: number, height: number): string {
  const opaque = new Uint8ClampedArray(rgba.length);
  for (let at = 0; at < rgba.length; at += 4) {
    const alpha = rgba[at + 3]! / 255;
    for (let c = 0; c < 3; c++) opaque[at + c] = rgba[at + c]! * alpha + 255 * (1 - alpha);
    opaque[at + 3] = 255;
  }
  return encode(opaque, width, height, width >= height ? 4 : 3, height >= width ? 4 : 3);
}

/** As base64. Keeps the transparency. */
export function thumbhashOf(rgba: Uint8Array, width: number, height: number): string {
  return Buffer.from(rgbaToThumbHash(width, height, rgba)).toString('base64');
}
