// The Idempotency-Key header (draft-ietf-httpapi-idempotency-key-header).

import { Problem } from '../problems.ts';

/** RFC 8941, 3.3.3: a String. */
const STRING = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/;
/** Many clients send it without the quotes: no spaces, quotes, commas or semicolons then. */
const BARE = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x7e]+$/;
const MOST = 255;

/** The key that a header names, quoted or not. Throws `invalid_request`. */
export function parseIdempotencyKey(header: string | readonly string[]): string {
  const text = (typeof header === 'string' ? header : header.join(', ')).trim();
  const key = STRING.exec(text)?.[1]?.replaceAll(/\\(["\\])/g, '$1') ?? BARE.exec(text)?.[0];
  if (key !== undefined && key.length > 0 && key.length <= MOST) return key;
  const message = `must be one string of 1 to ${MOST} printable ASCII characters, such as "8e03978e-40d5-43e8-bc93-6894a57f9324"`;
  throw new Problem('invalid_request', `Idempotency-Key: ${message}.`, {
    errors: [{ field: 'Idempotency-Key', message }],
  });
}
