// Colours as people write them: hex digits or a few CSS names. Parsed here and nowhere else.

export interface Colour {
  /** 0–255. */
  readonly r: number;
  readonly g: number;
  readonly b: number;
  /** 0 (nothing to see) to 1. */
  readonly alpha: number;
}

const NAMES = {
  transparent: '00000000',
  white: 'ffffff',
  black: '000000',
  gray: '808080',
  grey: '808080',
  silver: 'c0c0c0',
  red: 'ff0000',
  maroon: '800000',
  orange: 'ffa500',
  yellow: 'ffff00',
  olive: '808000',
  lime: '00ff00',
  green: '008000',
  cyan: '00ffff',
  teal: '008080',
  blue: '0000ff',
  navy: '000080',
  magenta: 'ff00ff',
  purple: '800080',
} as const;

/** The whole grammar: 3, 4, 6 or 8 hex digits with or without `#` (which a URL must write `%23`), or a name. */
export const COLOUR = new RegExp(
  `^(?:#?(?:[0-9a-fA-F]{3,4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})|${Object.keys(NAMES).join('|')})$`,
);

/** For people who wrote something else. */
export const COLOUR_HINT = `a colour is 3, 4, 6 or 8 hex digits (ff8800, f80, ff880080 with alpha) or one of ${Object.keys(NAMES).join(', ')}`;

/** Throws RangeError for what `COLOUR` does not match: schemas ask it first. */
export function parseColour(text: string): Colour {
  if (!COLOUR.test(text)) throw new RangeError(COLOUR_HINT);
  let digits = (NAMES[text as keyof typeof NAMES] ?? text).replace('#', '');
  if (digits.length <= 4) digits = digits.replace(/./g, '$&$&');
  const byte = (at: number) => Number.parseInt(digits.slice(at, at + 2), 16);
  return { r: byte(0), g: byte(2), b: byte(4), alpha: digits.length === 8 ? byte(6) / 255 : 1 };
}

/** Black, white or between. Throws RangeError as `parseColour`. */
export function isGrey(text: string): boolean {
  const { r, g, b } = parseColour(text);
  return r === g && g === b;
}
