// pixelate: squares of one colour each.

import { z } from 'zod';
import { looseNumber } from '../../lib/loose-scalar.ts';
import type { ImageOperation, Pixels } from '../image-operation.ts';

const size = looseNumber(z.number().int().min(2).max(1000)).describe('Side of the squares in pixels');
const params = z.strictObject({ size });

export const pixelate: ImageOperation<typeof params> = {
  name: 'pixelate',
  summary: 'Makes squares of one colour each, the mean of what was there.',
  params,
  query: { pixelate: size.optional() },
  fromQuery: ({ pixelate }) => (pixelate === undefined ? undefined : { size: pixelate as number }),
  examples: [
    {
      shows: 'a face nobody knows',
      params: { size: 40 },
      query: 'pixelate=40',
      gives: { width: 1200, height: 800 },
    },
  ],
  async apply(image, { size: side }, size, tools) {
    if (size === undefined) throw new Error('pixelate needs decoded pixels');
    const { width, height } = size;
    const [across, down] = [Math.ceil(width / side), Math.ceil(height / side)];
    // The last squares are drawn out to be whole, and cut off again afterwards.
    const whole = await tools.pixels(
      image.extend({
        right: across * side - width,
        bottom: down * side - height,
        extendWith: 'copy',
      }),
    );
    // A triangle as wide as this would mix each square with its neighbours, so they are averaged by hand.
    const small = tools.open(averaged(whole, side));
    const large = small.resize({ width: across * side, height: down * side, fit: 'fill', kernel: 'nearest' });
    return large.extract({ left: 0, top: 0, width, height });
  },
  size: (_params, size) => size,
  needs: () => 'pixels',
  frameByFrame: () => true,
};

/** One pixel for every square: the mean of its colours, each counted by how much is to be seen of it. */
function averaged({ data, width, height, channels }: Pixels, side: number): Pixels {
  const [across, down] = [width / side, height / side];
  const alphaAt = channels === 2 || channels === 4 ? channels - 1 : undefined;
  const sums = new Float64Array(across * down * channels);
  for (let y = 0; y < height; y++) {
    const row = Math.floor(y / side) * across;
    for (let x = 0; x < width; x++) {
      const from = (y * width + x) * channels;
      const to = (row + Math.floor(x / side)) * channels;
      const alpha = alphaAt === undefined ? 1 : (data[from + alphaAt] ?? 0);
      for (let c = 0; c < channels; c++) {
        sums[to + c] = (sums[to + c] ?? 0) + (c === alphaAt ? alpha : (data[from + c] ?? 0) * alpha);
      }
    }
  }
  const means = new Uint8Array(sums.length);
  for (let at = 0; at < sums.length; at += channels) {
    const seen = alphaAt === undefined ? side * side : (sums[at + alphaAt] ?? 0);
    for (let c = 0; c < channels; c++) {
      const weight = c === alphaAt ? side * side : seen;
      means[at + c] = weight === 0 ? 0 : Math.round((sums[at + c] ?? 0) / weight);
    }
  }
  return { data: means, width: across, height: down, channels, frames: 1 };
}
