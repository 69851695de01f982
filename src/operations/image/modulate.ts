// modulate: brightness, saturation, hue and lightness, in a space that goes by how colours are seen (CIE LCh).

import { z } from 'zod';
import { looseNumber } from '../../lib/loose-scalar.ts';
import type { ImageOperation } from '../image-operation.ts';

const fields = {
  brightness: looseNumber(z.number().min(0).max(10)).describe('Multiplies the lightness: 1 changes nothing'),
  saturation: looseNumber(z.number().min(0).max(10)).describe(
    'Multiplies how colourful it is: 0 is grey, 1 changes nothing',
  ),
  hue: looseNumber(z.number().int().min(-360).max(360)).describe(
    'Degrees by which all colours are turned around the colour wheel',
  ),
  lightness: looseNumber(z.number().min(-100).max(100)).describe(
    'Added to the lightness, which goes from 0 (black) to 100 (white)',
  ),
};
const params = z.strictObject({
  brightness: fields.brightness.default(1),
  saturation: fields.saturation.default(1),
  hue: fields.hue.default(0),
  lightness: fields.lightness.default(0),
});

export const modulate: ImageOperation<typeof params> = {
  name: 'modulate',
  summary: 'Changes brightness, saturation, hue and lightness.',
  params,
  query: {
    brightness: fields.brightness.optional(),
    saturation: fields.saturation.optional(),
    hue: fields.hue.optional(),
    lightness: fields.lightness.optional(),
  },
  fromQuery(query) {
    const given = Object.keys(fields).filter((name) => query[name] !== undefined);
    if (given.length === 0) return undefined;
    return Object.fromEntries(given.map((name) => [name, query[name]]));
  },
  examples: [
    {
      shows: 'brighter and more colourful',
      params: { brightness: 1.2, saturation: 1.4 },
      query: 'brightness=1.2&saturation=1.4',
      gives: { width: 1200, height: 800 },
    },
    {
      shows: 'all colours turned to their opposite',
      params: { hue: 180 },
      query: 'hue=180',
      gives: { width: 1200, height: 800 },
    },
  ],
  apply: (image, params) => image.modulate(params),
  size: (_params, size) => size,
  seconds: () => 0.08,
};
