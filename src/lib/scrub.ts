// Makes a program's words fit for strangers: no paths, addresses, file names of ours or control characters.

export interface ScrubOptions {
  /** Words that must not be seen, e.g. names of internal files. */
  readonly hide?: readonly string[];
  /** Characters at most; longer text ends in `…`. */
  readonly max?: number;
}

const DEFAULT_MAX = 300;
/** `file:` URLs, absolute paths and Windows paths. A slash inside a word (`24/1`) is none. */
const PATHS =
  /(?:\b[a-z][a-z0-9+.-]*:\/{0,3}(?=\/))?(?<![\w.)\]])(?:\/[^\s/:'",;()[\]]+)+\/?|\b[A-Za-z]:\\[^\s:'",;]+/g;
const ADDRESSES = / ?@ 0x[0-9a-f]+|\b0x[0-9a-f]{6,}\b/gi;
// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]+/g;

/** One line of at most `max` characters. */
export function scrub(text: string, { hide = [], max = DEFAULT_MAX }: ScrubOptions = {}): string {
  // Bounded before it is searched: the text may be a source's own.
  let clean = text.slice(0, 4 * max).replace(CONTROL, ' ');
  clean = clean.replace(PATHS, 'the file').replace(ADDRESSES, '');
  for (const word of hide.toSorted((a, b) => b.length - a.length)) {
    if (word !== '') clean = clean.replaceAll(word, 'the file');
  }
  clean = clean
    .replace(/(?:file:)?the file/g, 'the file')
    .replace(/ {2,}/g, ' ')
    .trim();
  return clean.length > max ? `${clean.slice(0, max - 1).trimEnd()}…` : clean;
}
