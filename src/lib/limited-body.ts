// A body on its way to the disk: bounded by what it may have, and by what the disk has left.

import { Problem } from '../problems.ts';

/** How often a body that is being stored looks at the room that is left. */
const CHECK_EVERY_BYTES = 16 * 1024 * 1024;

/** Ends a body past its limit, and one that would eat the reserve: many at once, or of unknown length, pass a check before. */
export async function* limited(
  body: AsyncIterable<Uint8Array>,
  maxBytes: number,
  free: () => Promise<number | undefined>,
): AsyncGenerator<Uint8Array> {
  let seen = 0;
  let checked = 0;
  for await (const chunk of body) {
    seen += chunk.length;
    if (seen > maxBytes) {
      throw new Problem(
        'payload_too_large',
        `The upload is larger than the ${maxBytes} bytes that are allowed.`,
      );
    }
    if (seen - checked >= CHECK_EVERY_BYTES) {
      checked = seen;
      if ((await free()) === 0)
        throw new Problem('storage_full', 'The server has run out of room. Nothing was kept.');
    }
    yield chunk;
  }
}
