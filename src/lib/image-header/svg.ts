// SVG: the size its root element says, and a refusal of everything that reaches out of the file or runs.

import { Problem } from '../../problems.ts';
import type { HeaderFacts } from './header-facts.ts';

/** A drawing of a few hundred kB can take gigabytes to draw; honest ones are far smaller. */
const MOST_BYTES = 1024 * 1024;
/** What `<use>` repeats, it repeats at every level. */
const MOST_USES = 200;
/** CSS pixels where neither size nor viewBox says anything (CSS 2.1, 10.3.2). */
const DEFAULT = { width: 300, height: 150 };
/** CSS pixels of the absolute units (CSS Values 4, 6.2). */
const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  px: 1,
  pt: 96 / 72,
  pc: 16,
  in: 96,
  cm: 96 / 2.54,
  mm: 96 / 25.4,
};

const FORBIDDEN: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/<!(?:DOCTYPE|ENTITY|ELEMENT|ATTLIST)/i, 'a DOCTYPE'],
  [/<\?xml-stylesheet/i, 'a style sheet of its own'],
  [/<(?:[\w.-]+:)?(?:image|feImage|foreignObject|iframe|video|audio|embed|object)\b/i, 'an embedded picture'],
  [/<(?:[\w.-]+:)?script\b/i, 'a script'],
  [/\son\w+\s*=/i, 'an event handler'],
  [/XInclude|<(?:[\w.-]+:)?include\b/i, 'XInclude'],
  [/@import/i, 'an imported style sheet'],
  // A reference may only point into the file itself: `#name`.
  [/\b(?:href|src)\s*=\s*(?:"\s*(?!#)[^"\s]|'\s*(?!#)[^'\s]|[^"'\s])/i, 'a reference to something outside'],
  [/url\(\s*(?:["']|&quot;|&apos;|&#\w+;)?\s*(?!["']?#)[^\s"')]/i, 'a reference to something outside'],
  // Character references and CSS escapes would hide all of the above.
  [/&#(?:x0*[2-7][0-9a-f]|0*(?:3[2-9]|[4-9]\d|1[01]\d|12[0-6]));/i, 'escaped plain characters'],
  [/\\[0-9a-f]/i, 'escaped characters'],
];

/** Throws Problem `image_too_complex` for what SVG may not contain here, and RangeError for what cannot be read. */
export function readSvg(view: DataView): HeaderFacts {
  if (view.byteLength > MOST_BYTES) {
    throw refused(`is larger than ${MOST_BYTES} bytes`);
  }
  const bytes = Buffer.from(view.buffer, view.byteOffset, view.byteLength);
  // Another encoding would hide what is searched for; UTF-16 has zeros.
  if (bytes.includes(0)) throw refused('is not UTF-8');
  const text = bytes.toString('utf8');
  const encoding = /^[^<]{0,3}<\?xml[^>]*\bencoding\s*=\s*["']([^"']*)/i.exec(text)?.[1] ?? 'utf-8';
  if (!/^(?:utf-?8|us-ascii)$/i.test(encoding)) throw refused('is not UTF-8');
  for (const [pattern, name] of FORBIDDEN) {
    if (pattern.test(text)) throw refused(`contains ${name}`);
  }
  if ((text.match(/<(?:[\w.-]+:)?use\b/gi) ?? []).length > MOST_USES) {
    throw refused(`repeats itself by more than ${MOST_USES} <use>`);
  }
  const root = /<(?:[\w.-]+:)?svg\b([^>]*)>/i.exec(text)?.[1];
  if (root === undefined) throw new RangeError('no svg element');
  const box = /\bviewBox\s*=\s*["']\s*([^"']*)/
    .exec(root)?.[1]
    ?.trim()
    .split(/[\s,]+/)
    .map(Number);
  const [, , boxWidth = NaN, boxHeight = NaN] = box ?? [];
  const width = lengthOf(root, 'width');
  const height = lengthOf(root, 'height');
  const ratio = boxWidth / boxHeight;
  return {
    width: side(width ?? (height !== undefined && ratio > 0 ? height * ratio : boxWidth), DEFAULT.width),
    height: side(height ?? (width !== undefined && ratio > 0 ? width / ratio : boxHeight), DEFAULT.height),
    frames: 1,
    alpha: true,
    orientation: 1,
    scans: 1,
  };
}

function lengthOf(root: string, name: string): number | undefined {
  const found = new RegExp(
    `(?:^|\\s)${name}\\s*=\\s*["']\\s*([0-9.]+(?:e[0-9]+)?)\\s*([a-z]*)\\s*["']`,
    'i',
  ).exec(root);
  const unit = UNITS[(found?.[2] ?? '').toLowerCase()];
  const value = Number(found?.[1]);
  return unit !== undefined && value > 0 ? value * unit : undefined;
}

function side(value: number, otherwise: number): number {
  return Math.max(1, Math.round(Number.isFinite(value) && value > 0 ? value : otherwise));
}

function refused(what: string): Problem {
  return new Problem(
    'image_too_complex',
    `The SVG ${what}, which is not taken. Send it as PNG or WebP, or simplify it.`,
  );
}
