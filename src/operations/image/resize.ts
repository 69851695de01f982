// resize: fits an image into a box. The most used operation, and the only one with shrink-on-load.

import { z } from 'zod';
import { parseColour } from '../../lib/colour.ts';
import { looseBoolean, looseNumber } from '../../lib/loose-scalar.ts';
import { Problem } from '../../problems.ts';
import { PLACE } from '../image-operation.ts';
import type { ImageOperation } from '../image-operation.ts';
import { background } from './background.ts';
import { compassOf, GRAVITIES } from './gravity.ts';
import {
  focusedPart,
  hasBox,
  inDevicePixels,
  isLimited,
  LIMITS,
  scaledSize,
  shrinks,
} from './resize-geometry.ts';
import { resizeExamples as examples } from './resize-examples.ts';

const SIDES = ['width', 'height', ...LIMITS] as const;
const FITS = ['inside', 'outside', 'cover', 'contain', 'fill'] as const;
const STRATEGIES = { entropy: 'entropy', attention: 'attention', smart: 'attention' } as const;
const POSITIONS = [...GRAVITIES, 'entropy', 'attention', 'smart'] as const;

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
      'Which part `cover` keeps, or where `contain` puts the picture. For `cover` also entropy (where most is to be seen) and attention or smart (skin, colour, detail)',
    ),
  focus: z
    .string()
    .max(23)
    .regex(/^\d{1,5}(?:\.\d{1,5})?,\d{1,5}(?:\.\d{1,5})?$/, 'write x,y, e.g. focus=0.5,0.25 or focus=640,210')
    .optional()
    .describe(
      'The point that `cover` keeps as near to the middle as can be, instead of a position: x,y as parts of the sides (0 to 1) or, where one of them is above 1, in pixels of the picture as it reaches this step',
    ),
  dpr: looseNumber(z.number().min(0.1).max(8)).describe(
    'Pixels of the device for each pixel asked for: all sides are multiplied by it',
  ),
  minWidth: side
    .optional()
    .describe('For inside and outside: the picture gets at least so wide, enlarged if need be'),
  minHeight: side
    .optional()
    .describe('For inside and outside: the picture gets at least so high, enlarged if need be'),
  maxWidth: side.optional().describe('For inside and outside: the picture gets at most so wide'),
  maxHeight: side.optional().describe('For inside and outside: the picture gets at most so high'),
  enlarge: looseBoolean(false).describe('Whether a picture smaller than the box is made larger'),
};

const params = z
  .strictObject({
    width: shape.width,
    height: shape.height,
    fit: shape.fit.default('inside'),
    position: shape.position.default('centre'),
    focus: shape.focus,
    dpr: shape.dpr.default(1),
    minWidth: shape.minWidth,
    minHeight: shape.minHeight,
    maxWidth: shape.maxWidth,
    maxHeight: shape.maxHeight,
    enlarge: shape.enlarge.default(false),
    background: background.default('transparent'),
  })
  .refine((wish) => SIDES.some((name) => wish[name] !== undefined), {
    message: 'give a width, a height or both',
    path: ['width'],
  })
  .refine(({ focus, fit }) => focus === undefined || fit === 'cover', {
    message: 'says which part fit=cover keeps: ask for that, or leave focus out',
    path: ['focus'],
  })
  .refine((wish) => !isLimited(wish) || wish.fit === 'inside' || wish.fit === 'outside', {
    message: 'minWidth, minHeight, maxWidth and maxHeight go with fit=inside and fit=outside',
    path: ['fit'],
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
    focus: shape.focus,
    dpr: shape.dpr.optional(),
    minWidth: shape.minWidth,
    minHeight: shape.minHeight,
    maxWidth: shape.maxWidth,
    maxHeight: shape.maxHeight,
    enlarge: shape.enlarge.optional(),
    background: background.optional(),
  },
  fromQuery(query) {
    const given = Object.fromEntries(
      Object.keys(params.shape).flatMap((name) => (query[name] === undefined ? [] : [[name, query[name]]])),
    );
    if (SIDES.some((name) => given[name] !== undefined)) return given;
    // The background is other operations' too.
    const field = Object.keys(given).find((name) => name !== 'background');
    if (field === undefined) return undefined;
    const message = `means nothing without width or height: give one of them, or leave ${field} out`;
    throw new Problem('invalid_request', `${field} ${message}.`, { errors: [{ field, message }] });
  },
  examples,
  apply(image, asked, size) {
    const wish = inDevicePixels(asked);
    const { width, height, fit, position, focus, enlarge } = wish;
    if (size !== undefined && (focus !== undefined || !hasBox(wish))) {
      // Told what comes out, sharp cannot be a pixel off, which it is at times after shrinking on load.
      const scaled = scaledSize(wish, size);
      const whole = image.resize({ ...scaled, fit: 'fill' });
      return focus === undefined || !hasBox(wish)
        ? whole
        : whole.extract(focusedPart(focus, scaled, this.size(asked, size), size));
    }
    return image.resize({
      ...(width !== undefined && { width }),
      ...(height !== undefined && { height }),
      fit,
      position: isStrategy(position) ? STRATEGIES[position] : compassOf(position),
      withoutEnlargement: !enlarge,
      background: parseColour(wish.background),
    });
  },
  size(asked, size) {
    const wish = inDevicePixels(asked);
    const scaled = scaledSize(wish, size);
    if (!hasBox(wish)) return scaled;
    const box = { width: wish.width ?? scaled.width, height: wish.height ?? scaled.height };
    if (wish.fit === 'contain') return box;
    return { width: Math.min(scaled.width, box.width), height: Math.min(scaled.height, box.height) };
  },
  place(params) {
    if (!hasBox(params)) return [PLACE.scale, PLACE.scale];
    return [PLACE.scale, params.focus === undefined ? PLACE.box : PLACE.cut];
  },
  needs: (params) => (params.focus !== undefined || isLimited(params) ? 'size' : undefined),
  addsAlpha: (params) => params.fit === 'contain' && parseColour(params.background).alpha < 1,
  forAnimation(params) {
    if (params.fit !== 'cover' || params.focus !== undefined || !isStrategy(params.position))
      return undefined;
    return {
      params: { ...params, position: 'centre' },
      decision: `the centre is kept: position ${params.position} would cut every frame of the animation elsewhere`,
    };
  },
  shrink(params, size) {
    const { across, down } = shrinks(inDevicePixels(params), size);
    return Math.max(1, Math.min(across, down));
  },
};

function isStrategy(position: Params['position']): position is keyof typeof STRATEGIES {
  return Object.hasOwn(STRATEGIES, position);
}
