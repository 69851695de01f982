// Gravity: the nine places in a picture and the names they go by, shared by the operations that put or keep something.

import type { Size } from '../image-operation.ts';

/** Each name, and the compass name of the same place, which sharp knows too. */
const COMPASS = {
  centre: 'centre',
  center: 'centre',
  north: 'north',
  northeast: 'northeast',
  east: 'east',
  southeast: 'southeast',
  south: 'south',
  southwest: 'southwest',
  west: 'west',
  northwest: 'northwest',
  top: 'north',
  'right top': 'northeast',
  'top right': 'northeast',
  right: 'east',
  'right bottom': 'southeast',
  'bottom right': 'southeast',
  bottom: 'south',
  'left bottom': 'southwest',
  'bottom left': 'southwest',
  left: 'west',
  'left top': 'northwest',
  'top left': 'northwest',
} as const;

export type Gravity = keyof typeof COMPASS;
export const GRAVITIES = Object.keys(COMPASS) as [Gravity, ...Gravity[]];

export const compassOf = (gravity: Gravity): (typeof COMPASS)[Gravity] => COMPASS[gravity];

/**
 * Where something goes in a picture: its left upper corner in pixels. `x` and `y` move it inwards from the edges
 * that it lies at; in the middle, to the right and down. It may reach outside.
 */
export function placed(
  gravity: Gravity,
  picture: Size,
  { width, height }: Size,
  { x, y }: { readonly x: number; readonly y: number },
): { left: number; top: number } {
  const compass = COMPASS[gravity];
  const [across, down] = [picture.width - width, picture.height - height];
  const left = compass.endsWith('west') ? x : compass.endsWith('east') ? across - x : across / 2 + x;
  const top = compass.startsWith('north') ? y : compass.startsWith('south') ? down - y : down / 2 + y;
  return { left: Math.round(left), top: Math.round(top) };
}
