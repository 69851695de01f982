// rotate: turns the image, by right angles without loss and by any other onto a background.

import { z } from 'zod';
import { isGrey, parseColour } from '../../lib/colour.ts';
import { looseNumber } from '../../lib/loose-scalar.ts';
import { PLACE } from '../image-operation.ts';
import type { ImageOperation } from '../image-operation.ts';
import { background } from './background.ts';

const angle = looseNumber(z.number().min(-360).max(360)).describe('Degrees, clockwise; −360 to 360');

const params = z.strictObject({ angle, background: background.default('transparent') });

export const rotate: ImageOperation<typeof params> = {
  name: 'rotate',
  summary: 'Turns the image clockwise; the picture grows so that nothing is cut off.',
  params,
  query: { rotate: angle.optional(), background: background.optional() },
  fromQuery: ({ rotate, background }) =>
    rotate === undefined ? undefined : ({ angle: rotate, background } as z.input<typeof params>),
  examples: [
    {
      shows: 'a quarter turn',
      params: { angle: 90 },
      query: 'rotate=90',
      gives: { width: 800, height: 1200 },
    },
    {
      shows: 'slightly, on white',
      params: { angle: -3.5, background: 'white' },
      query: 'rotate=-3.5&background=white',
      gives: { width: 1247, height: 872 },
    },
    {
      shows: 'upside down',
      params: { angle: 180 },
      query: 'rotate=180',
      gives: { width: 1200, height: 800 },
    },
  ],
  apply(image, { angle, background }) {
    if (angle % 360 === 0) return image;
    return image.rotate(angle, { background: parseColour(background) });
  },
  size({ angle }, { width, height }) {
    const turns = ((angle % 360) + 360) % 360;
    if (turns % 180 === 0) return { width, height };
    if (turns % 90 === 0) return { width: height, height: width };
    const across = Math.abs(Math.cos((turns * Math.PI) / 180));
    const down = Math.abs(Math.sin((turns * Math.PI) / 180));
    return {
      width: Math.round(width * across + height * down),
      height: Math.round(width * down + height * across),
    };
  },
  // Sharp takes one rotation a pipeline, the last one called: a second must not find a place after the first.
  place: ({ angle }) => [PLACE.turn, angle % 90 === 0 ? PLACE.turn : PLACE.rotate],
  // In a file that has only grey, sharp would make the colour grey too; decoded pixels are always red, green and blue.
  needs: ({ angle, background }) => (angle % 90 === 0 || isGrey(background) ? undefined : 'pixels'),
  addsAlpha: ({ angle, background }) => angle % 90 !== 0 && parseColour(background).alpha < 1,
  // All frames lie in one strip: to turn it would turn the order of the frames as well.
  frameByFrame: ({ angle }) => angle % 360 !== 0,
};
