// resize: fits an image into a box. The most used operation, and the only one with shrink-on-load.

import { z } from 'zod';
import { parseColour } from '../../lib/colour.ts';
import { looseBoolean, looseNumber } from '../../lib/loose-scalar.ts';
import { Problem } from '../../problems.ts';
import { PLACE } from '../image-operation.ts';
import type { ImageOperation, Size } from '../image-operation.ts';
import { background } from './background.ts';

const FITS = ['inside', 'outside', 'cover', 'contain', 'fill'] as const;
const STRATEGIES = ['entropy', 'attention'] as const;
const POSITIONS = [
  'centre',
  'center',
  'top',
  'right top',
  'right',
  'right bottom',
  'bottom',
  'left bottom',
  'left',
  'left top',
  'north',
  'northeast',
  'east',
  'southeast',
  'south',
  'southwest',
  'west',
  'northwest',
  ...STRATEGIES,
] as const;

const side = looseNumber(z.number().int().min(1).max(16_383));
const shape = {
  width: side.optional().describe('Width of the box in pixels; without it, the height decides'),
  height: side.optional().describe('Height of the box in pixels; without it, the width decides'),
  fit: z
    .enum(FITS)
    .describe(
      'inside: as large as fits into the box. outside: as small as covers it. cover: covers it, and what overlaps is cut off. contain: fits into it, and the rest is filled with the background. fill: stretched to it',
    ),
  position: z
    .enum(POSITIONS)
    .describe(
      'Which part `cover` keeps, or where `contain` puts the picture. For `cover` also entropy (where most is to be seen) and attention (skin, colour, detail)',
    ),
  enlarge: looseBoolean(false).describe('Whether a picture smaller than the box is made larger'),
};

const params = z
  .strictObject({
    width: shape.width,
    height: shape.height,
    fit: shape.fit.default('inside'),
    position: shape.position.default('centre'),
    enlarge: shape.enlarge.default(false),
    background: background.default('transparent'),
  })
  .refine(({ width, height }) => width !== undefined || height !== undefined, {
    message: 'give a width, a height or both',
    path: ['width'],
  });
type Params = z.output<typeof params>;

export const resize: ImageOperation<typeof params> = {
  name: 'resize',
  summary: 'Fits the image into a box.',
  params,
  query: {
    width: shape.width,
    height: shape.height,
    fit: shape.fit.optional(),
    position: shape.position.optional(),
    enlarge: shape.enlarge.optional(),
    background: background.optional(),
  },
  fromQuery(query) {
    const { width, height, fit, position, enlarge } = query;
    if (width !== undefined || height !== undefined) {
      const { background } = query;
      return { width, height, fit, position, enlarge, background } as z.input<typeof params>;
    }
    const field = Object.entries({ fit, position, enlarge }).find(([, value]) => value !== undefined)?.[0];
    if (field === undefined) return undefined;
    const message = `means nothing without width or height: give one of them, or leave ${field} out`;
    throw new Problem('invalid_request', `${field} ${message}.`, { errors: [{ field, message }] });
  },
  examples: [
    {
      shows: 'at most 600 pixels wide',
      params: { width: 600 },
      query: 'width=600',
      gives: { width: 600, height: 400 },
    },
    {
      shows: 'a square thumbnail, cut where most is to be seen',
      params: { width: 300, height: 300, fit: 'cover', position: 'attention' },
      query: 'width=300&height=300&fit=cover&position=attention',
      gives: { width: 300, height: 300 },
    },
    {
      shows: 'the whole picture in a white square',
      params: { width: 400, height: 400, fit: 'contain', background: 'white' },
      query: 'width=400&height=400&fit=contain&background=white',
      gives: { width: 400, height: 400 },
    },
    {
      shows: 'stretched',
      params: { width: 500, height: 500, fit: 'fill' },
      query: 'width=500&height=500&fit=fill',
      gives: { width: 500, height: 500 },
    },
    {
      shows: 'covering a box, nothing cut off',
      params: { width: 300, height: 300, fit: 'outside' },
      query: 'width=300&height=300&fit=outside',
      gives: { width: 450, height: 300 },
    },
    {
      shows: 'left as it is, because it is smaller than that',
      params: { width: 2400 },
      query: 'width=2400',
      gives: { width: 1200, height: 800 },
    },
    {
      shows: 'made larger',
      params: { height: 1000, enlarge: true },
      query: 'height=1000&enlarge=true',
      gives: { width: 1500, height: 1000 },
    },
  ],
  apply(image, params, size) {
    const { width, height, fit, position, enlarge } = params;
    if (size !== undefined && !hasBox(params)) {
      // Told what comes out, sharp cannot be a pixel off, which it is at times after shrinking on load.
      return image.resize({ ...this.size(params, size), fit: 'fill' });
    }
    return image.resize({
      ...(width !== undefined && { width }),
      ...(height !== undefined && { height }),
      fit,
      position,
      withoutEnlargement: !enlarge,
      background: parseColour(params.background),
    });
  },
  size(params, size) {
    const { width, height, fit } = params;
    const { across, down } = shrinks(params, size);
    const scaled = { width: Math.round(size.width / across), height: Math.round(size.height / down) };
    if (!hasBox(params)) return scaled;
    const box = { width: width ?? scaled.width, height: height ?? scaled.height };
    if (fit === 'contain') return box;
    return { width: Math.min(scaled.width, box.width), height: Math.min(scaled.height, box.height) };
  },
  place: (params) => [PLACE.scale, hasBox(params) ? PLACE.box : PLACE.scale],
  addsAlpha: (params) => params.fit === 'contain' && parseColour(params.background).alpha < 1,
  forAnimation(params) {
    if (params.fit !== 'cover' || !(STRATEGIES as readonly string[]).includes(params.position))
      return undefined;
    return {
      params: { ...params, position: 'centre' },
      decision: `the centre is kept: position ${params.position} would cut every frame of the animation elsewhere`,
    };
  },
  shrink(params, size) {
    const { across, down } = shrinks(params, size);
    return Math.max(1, Math.min(across, down));
  },
};

/** Cover cuts and contain fills after scaling; cover only if the box has two sides. */
function hasBox({ width, height, fit }: Params): boolean {
  return fit === 'contain' || (fit === 'cover' && width !== undefined && height !== undefined);
}

/** How many times smaller it gets in each direction: sharp's ResolveShrink (its common.cc), so that both agree. */
function shrinks({ width, height, fit, enlarge }: Params, size: Size): { across: number; down: number } {
  let across = width === undefined ? undefined : size.width / width;
  let down = height === undefined ? undefined : size.height / height;
  if (fit === 'fill') {
    across ??= 1;
    down ??= 1;
  } else if (across === undefined || down === undefined) {
    across = down = across ?? down ?? 1;
  } else {
    const covers = fit === 'cover' || fit === 'outside';
    across = down = covers ? Math.min(across, down) : Math.max(across, down);
  }
  const least = enlarge ? 0 : 1;
  return {
    across: Math.min(Math.max(least, across), size.width),
    down: Math.min(Math.max(least, down), size.height),
  };
}
