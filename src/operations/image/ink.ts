// Letters as pixels: a colour where there is ink, and another around it.

import type { Colour } from '../../lib/colour.ts';
import type { Pixels } from '../image-operation.ts';

/** RGBA of a coverage mask (0–255), with `outline` pixels more on each side. */
export function inked(mask: Pixels, colour: Colour, outline: number, around: Colour): Pixels {
  const width = mask.width + 2 * outline;
  const height = mask.height + 2 * outline;
  const data = new Uint8Array(width * height * 4);
  const distances = outline > 0 ? distancesFrom(mask, outline, width, height) : undefined;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = (y * width + x) * 4;
      const ink = (coverage(mask, x - outline, y - outline) / 255) * colour.alpha;
      // The middle of a pixel whose edge is touched is half a pixel away.
      const line =
        distances === undefined
          ? 0
          : Math.min(1, Math.max(0, outline + 0.5 - Math.sqrt(distances[y * width + x] ?? 0))) * around.alpha;
      const alpha = ink + line * (1 - ink);
      if (alpha === 0) continue;
      const mix = (front: number, behind: number): number =>
        Math.round((front * ink + behind * line * (1 - ink)) / alpha);
      data[at] = mix(colour.r, around.r);
      data[at + 1] = mix(colour.g, around.g);
      data[at + 2] = mix(colour.b, around.b);
      data[at + 3] = Math.round(alpha * 255);
    }
  }
  return { data, width, height, channels: 4, frames: 1 };
}

function coverage({ data, width, height, channels }: Pixels, x: number, y: number): number {
  return x < 0 || y < 0 || x >= width || y >= height ? 0 : (data[(y * width + x) * channels] ?? 0);
}

/** Squared distance of every pixel from the nearest ink, exact up to the radius: first along columns, then rows. */
function distancesFrom(mask: Pixels, radius: number, width: number, height: number): Float32Array {
  const far = (radius + 2) ** 2;
  const columns = new Float32Array(width * height).fill(far);
  for (let x = 0; x < width; x++) {
    for (const step of [1, -1]) {
      let away = Infinity;
      for (let y = step === 1 ? 0 : height - 1; y >= 0 && y < height; y += step) {
        away = coverage(mask, x - radius, y - radius) >= 128 ? 0 : away + 1;
        const at = y * width + x;
        columns[at] = Math.min(columns[at] ?? far, away * away);
      }
    }
  }
  const distances = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let least = far;
      for (let other = Math.max(0, x - radius - 1); other <= Math.min(width - 1, x + radius + 1); other++) {
        least = Math.min(least, (columns[y * width + other] ?? far) + (other - x) ** 2);
      }
      distances[y * width + x] = least;
    }
  }
  return distances;
}
