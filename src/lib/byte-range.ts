// The Range header (RFC 9110 §14): one range of bytes.

/** First and last byte, both inclusive. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/**
 * What a `Range` header asks of `size` bytes. Undefined: answer with the whole (no header, another
 * unit, several ranges, or a form we do not know: RFC 9110 allows ignoring them all).
 * `'unsatisfiable'`: answer 416.
 */
export function parseRange(header: string | undefined, size: number): Range | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/i.exec(header?.replaceAll(' ', '') ?? '');
  if (match === null) return undefined;
  const [, first = '', last = ''] = match;
  if (first === '' && last === '') return undefined;
  if (first === '') {
    const length = Math.min(Number(last), size);
    return length === 0 ? 'unsatisfiable' : { start: size - length, end: size - 1 };
  }
  const start = Number(first);
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1);
  if (last !== '' && Number(last) < start) return undefined;
  return start >= size ? 'unsatisfiable' : { start, end };
}

/** `If-Range` (RFC 9110 §13.1.5): whether the range may be honoured. Only a strong ETag that is equal counts, none if there is none. */
export function ifRangeHolds(header: string | undefined, etag: string | undefined): boolean {
  return header === undefined || header === etag;
}

/** `If-None-Match` (RFC 9110 §13.1.2), compared weakly, as it says. */
export function matchesETag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  if (header === etag || header.trim() === '*') return true;
  const opaque = etag.replace(/^W\//, '');
  return header.split(',').some((candidate) => candidate.trim().replace(/^W\//, '') === opaque);
}
