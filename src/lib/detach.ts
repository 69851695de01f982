// A body that can be thrown away without throwing away the connection it came by.

import { PassThrough } from 'node:stream';
import type { Readable } from 'node:stream';
import { Problem } from '../problems.ts';

/**
 * The bytes of `source` as a stream that may be destroyed freely. Destroying an incoming HTTP message
 * destroys its socket, and the client would see a reset instead of our answer; this stream only lets go of it.
 * A source that breaks off destroys it with `upload_incomplete`.
 */
export function detach(source: Readable): Readable {
  const body = new PassThrough({ highWaterMark: 256 * 1024 });
  const breakOff = (error?: Error): void => {
    if (!source.readableEnded || error) body.destroy(incomplete(error));
  };
  source.once('error', breakOff);
  source.once('close', breakOff);
  body.once('close', () => {
    source.unpipe(body);
    source.off('close', breakOff);
    // 'error' stays listened to: nobody else may be there, and an unheard error ends the process.
  });
  // Broken before we came: no event will tell us any more.
  if (source.destroyed) breakOff(source.errored ?? undefined);
  return source.pipe(body);
}

export function incomplete(cause?: unknown): Problem {
  if (cause instanceof Problem) return cause;
  return new Problem(
    'upload_incomplete',
    'The connection broke, or the body ended, before all announced bytes came.',
    {
      cause,
    },
  );
}
