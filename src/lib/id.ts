// Identifiers: sortable by time, impossible to guess.

import { randomBytes } from 'node:crypto';

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'; // Crockford's base 32, in lower case

/**
 * 36 characters: 10 of the time in milliseconds, then 26 with 130 random bits. Knowing one id tells
 * nothing of another, and a list sorted by id is sorted by time.
 */
export function newId(now: number = Date.now()): string {
  let id = '';
  for (let rest = now, i = 0; i < 10; i++) {
    id = ALPHABET[rest % 32] + id;
    rest = Math.floor(rest / 32);
  }
  for (const byte of randomBytes(26)) id += ALPHABET[byte & 31];
  return id;
}

const PATTERN = /^[0-9a-hjkmnp-tv-z]{36}$/;

/** Whether a string could be one of ours: asked before it is looked up or becomes part of a key. */
export function isId(value: string): boolean {
  return PATTERN.test(value);
}
