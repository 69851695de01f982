// A body on its way to the store that is refused as soon as its first bytes say that it is of no use.

import { Transform } from 'node:stream';
import type { Readable } from 'node:stream';
import { Problem } from '../problems.ts';
import { detach } from './detach.ts';
import { describeSupported, SNIFF_BYTES, sniff } from './media-type.ts';

/** A body through its sniffer. Whatever ends one ends the other. */
export function storable(file: Readable, sniffer: Transform): Readable {
  const body = detach(file);
  body.once('error', (error) => sniffer.destroy(error));
  sniffer.once('close', () => body.destroy());
  return body.pipe(sniffer);
}

/** Passes bytes through; refuses after the first few kilobytes what the server cannot work with, instead of after the last gigabyte. */
export function sniffing(check: (mediaType: string) => void): Transform & { mediaType(): string } {
  let head = Buffer.alloc(0);
  let found: string | undefined;
  const judge = (): void => {
    found = sniff(head)?.mediaType;
    if (found === undefined) {
      const why =
        head.length === 0 ? 'The file is empty.' : 'The file begins like no kind of media that is supported.';
      throw new Problem(
        head.length === 0 ? 'file_missing' : 'media_type_unsupported',
        `${why} ${describeSupported()}`,
      );
    }
    check(found);
  };
  const attempt = (done: (error?: Error | null, chunk?: Uint8Array) => void, chunk?: Uint8Array): void => {
    try {
      judge();
      done(null, chunk);
    } catch (error) {
      done(error as Error);
    }
  };
  const stream = new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      if (found !== undefined) {
        done(null, chunk);
        return;
      }
      head = Buffer.concat([head, chunk.subarray(0, SNIFF_BYTES - head.length)]);
      if (head.length < SNIFF_BYTES) done(null, chunk);
      else attempt(done, chunk);
    },
    flush(done) {
      if (found === undefined) attempt(done);
      else done();
    },
  });
  return Object.assign(stream, {
    mediaType(): string {
      if (found === undefined) throw new Error('asked for the media type before the body ended');
      return found;
    },
  });
}
