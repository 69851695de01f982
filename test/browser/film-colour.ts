// What colour a film shows: its source is red on the left at first, and blue later.

import sharp from 'sharp';
import type { Film } from './player-page.ts';

/** Of the middle of the left half. */
export async function colourOf(film: Film): Promise<string> {
  const { data, info } = await sharp(await film.videoFrame())
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const at = (Math.floor(info.height / 2) * info.width + Math.floor(info.width / 4)) * info.channels;
  const [red = 0, green = 0, blue = 0] = data.subarray(at, at + 3);
  if (red > 180 && green < 60 && blue < 60) return 'red';
  return blue > 180 && green < 60 && red < 60 ? 'blue' : `${red},${green},${blue}`;
}
