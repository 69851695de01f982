// A hash of what a body is made of, taken while its file passes by.

import { createHash, hash } from 'node:crypto';
import { pipeline, Transform } from 'node:stream';
import type { Readable } from 'node:stream';
import { detach } from './detach.ts';

export interface BodyDigest {
  /** The same bytes, seen. Destroying it lets go of the file, as `detach` does. */
  observe(file: Readable): Readable;
  /** Asked once, when the file has passed. Its name is left out: it says nothing of what is made, and clients make names up. */
  of(fields: ReadonlyMap<string, string>): { readonly digest: string; readonly bytes: number };
}

export function bodyDigest(): BodyDigest {
  const seen = createHash('sha256');
  let bytes = 0;
  return {
    observe(file) {
      const observed = new Transform({
        transform(chunk: Uint8Array, _encoding, done) {
          bytes += chunk.length;
          seen.update(chunk);
          done(null, chunk);
        },
      });
      // Nobody may listen yet, and an unheard error ends the process.
      observed.once('error', () => undefined);
      pipeline(detach(file), observed, () => undefined);
      return observed;
    },
    of(fields) {
      const sorted = [...fields].toSorted(([a], [b]) => (a < b ? -1 : 1));
      return { digest: hash('sha256', JSON.stringify([seen.digest('hex'), sorted])), bytes };
    },
  };
}
