// An image output as the query of POST /v1/images, which answers at once: for the preview, and for curl.

import type { Output } from './operations.ts';
import { plain } from './words.ts';

type Step = Readonly<Record<string, unknown>>;
type Query = Record<string, string>;

/** In which order the server does what a query asks for. Steps in another order cannot be said by one. */
const ORDER = [
  ...[
    'crop',
    'trim',
    'rotate',
    'flip',
    'flop',
    'resize',
    'median',
    'normalise',
    'clahe',
    'gamma',
    'modulate',
  ],
  ...[
    'grayscale',
    'tint',
    'duotone',
    'negate',
    'threshold',
    'blur',
    'sharpen',
    'pixelate',
    'extend',
    'round',
  ],
  ...['composite', 'text', 'flatten'],
];

const flag = (name: string) => (): Query => ({ [name]: 'true' });
/** One parameter by its value. Undefined: it is not given, and so there is no short form. */
const one =
  (name: string, field: string) =>
  (step: Step): Query | undefined =>
    step[field] === undefined ? undefined : { [name]: plain(step[field]) };
const asTheyAre = (step: Step): Query =>
  Object.fromEntries(Object.entries(step).map(([name, value]) => [name, plain(value)]));

const SHORT_FORMS: Readonly<Record<string, (step: Step) => Query | undefined>> = {
  crop({ left, top, width, height, unit }) {
    const end = unit === 'percent' ? 'p' : '';
    return { crop: [left, top, width, height].map((side) => `${plain(side)}${end}`).join(',') };
  },
  trim: ({ threshold }) => ({ trim: threshold === undefined ? 'true' : plain(threshold) }),
  rotate: ({ angle, ...rest }) => ({ rotate: plain(angle), ...asTheyAre(rest) }),
  flip: flag('flip'),
  flop: flag('flop'),
  resize: asTheyAre,
  median: one('median', 'size'),
  normalise: flag('normalise'),
  clahe: one('clahe', 'size'),
  gamma: one('gamma', 'gamma'),
  modulate: asTheyAre,
  grayscale: flag('grayscale'),
  tint: one('tint', 'colour'),
  duotone: ({ shadows, highlights }) => ({ duotone: `${plain(shadows)},${plain(highlights)}` }),
  negate: flag('negate'),
  threshold: one('threshold', 'level'),
  blur: one('blur', 'sigma'),
  sharpen: one('sharpen', 'sigma'),
  pixelate: one('pixelate', 'size'),
  extend({ top = 0, right = 0, bottom = 0, left = 0, fill, ...rest }) {
    const sides = [top, right, bottom, left].map(plain);
    return { pad: [...sides, ...(fill === undefined ? [] : [plain(fill)])].join(','), ...asTheyAre(rest) };
  },
  round({ shape = 'corners', radius }) {
    if (shape === 'corners') return one('round', 'radius')({ radius });
    return radius === undefined ? { round: plain(shape) } : undefined;
  },
  composite: ({ gravity = 'southeast', scale, opacity = 1, source }) =>
    scale === undefined ? undefined : { watermark: [gravity, scale, opacity, source].map(plain).join(',') },
  text: ({ gravity = 'south', size, colour = 'white', text: words }) =>
    size === undefined ? undefined : { text: [gravity, size, colour, words].map(plain).join(',') },
  flatten: ({ background = 'white' }) => ({ flatten: plain(background) }),
};

/** What a short form can say; a step with anything else has none. */
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  trim: ['threshold'],
  normalise: [],
  clahe: ['size'],
  sharpen: ['sigma'],
  round: ['shape', 'radius'],
  composite: ['gravity', 'scale', 'opacity', 'source'],
  text: ['gravity', 'size', 'colour', 'text'],
};

const FILLED: ReadonlySet<string> = new Set(['rotate', 'resize', 'extend']);

/** Undefined where only a recipe can say it. */
export function imageQuery({ type, steps = [], ...encoding }: Output): URLSearchParams | undefined {
  if (type !== 'image') return undefined;
  const query: Query = {};
  const filled = (steps as readonly Step[]).filter(({ op }) => FILLED.has(String(op)));
  // One parameter says the background of all of them.
  if (new Set(filled.map(({ background }) => background ?? 'transparent')).size > 1) return undefined;
  let reached = -1;
  for (const { op, ...step } of steps as readonly Step[]) {
    const name = String(op);
    const place = ORDER.indexOf(name);
    const said = Object.hasOwn(SHORT_FORMS, name) ? SHORT_FORMS[name]?.(step) : undefined;
    const isWhole =
      FIELDS[name] === undefined || Object.keys(step).every((field) => FIELDS[name]?.includes(field));
    if (said === undefined || !isWhole || place <= reached) return undefined;
    reached = place;
    Object.assign(query, said);
  }
  return new URLSearchParams({ ...query, ...asTheyAre(encoding) });
}
