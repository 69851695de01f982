// Taking in the images that are answered at once: refused before their body is read, and held once in memory.

import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Readable } from 'node:stream';
import type { ImageEngine } from '../engine-contracts.ts';
import { incomplete } from '../lib/detach.ts';
import { OwnBytes } from '../lib/own-bytes.ts';
import { contentLength, receiveFile, tooLarge } from '../plugins/media-body.ts';
import { Problem } from '../problems.ts';

export interface ImageIntake {
  /** Throws `overloaded`: asked before a body is read. `thread`: whether the image will want one. */
  admit(wants?: { readonly thread: boolean }): void;
  /** All bytes of the request's file, in an ArrayBuffer of their own. Rejects as `receiveFile` does. */
  read(
    request: FastifyRequest,
  ): Promise<{ readonly bytes: Uint8Array<ArrayBuffer>; readonly name: string | null }>;
  /** Counts an image that comes from elsewhere, while it comes. `maxBytes`: that it may have. */
  count<T>(coming: (maxBytes: number) => Promise<T>): Promise<T>;
}

export interface ImageIntakeOptions {
  readonly images: ImageEngine;
  readonly maxBytes: number;
  /** Images that may be in memory before they have a thread: bodies that arrive, and those that wait. */
  readonly maxWaiting: number;
}

/** One for all routes, since the bound is of the process. */
export function imageIntake({ images, maxBytes, maxWaiting }: ImageIntakeOptions): ImageIntake {
  let arriving = 0;
  const count: ImageIntake['count'] = async (coming) => {
    arriving++;
    try {
      return await coming(maxBytes);
    } finally {
      arriving--;
    }
  };
  return {
    count,
    admit({ thread } = { thread: true }) {
      if (thread) images.admit();
      if (arriving + images.load().waiting > maxWaiting) {
        throw new Problem(
          'overloaded',
          'All image threads are busy, and as many images as may wait are waiting.',
        );
      }
    },
    read: (request) =>
      count(async () => {
        const { result } = await receiveFile(request, {
          maxBytes,
          fieldNames: [],
          take: async (file, name) => ({
            bytes: await collect(file, contentLength(request), maxBytes),
            name,
          }),
          undo: async () => undefined,
        });
        return result;
      }),
  };
}

/** Aborts when the client leaves before its answer. The request's own signal aborts once its body is read, so the answer's socket is watched. */
export function clientGone(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) gone.abort(new Problem('upload_incomplete', 'The client left.'));
  });
  return gone.signal;
}

/** All bytes of a stream in an ArrayBuffer of their own. Lets go of the stream instead of destroying it. */
function collect(
  stream: Readable,
  expected: number | undefined,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new OwnBytes(expected, maxBytes);
  return new Promise((resolve, reject) => {
    const settle = (end: () => void): void => {
      stream.off('data', onData).off('end', onEnd).off('close', onBroken);
      end();
    };
    const onData = (chunk: Uint8Array): void => {
      if (bytes.length + chunk.length > maxBytes) {
        stream.pause();
        settle(() => reject(tooLarge(maxBytes)));
      } else {
        bytes.push(chunk);
      }
    };
    const onEnd = (): void => settle(() => resolve(bytes.take()));
    const onBroken = (error?: unknown): void => settle(() => reject(incomplete(error)));
    stream.on('data', onData).once('end', onEnd).once('close', onBroken).once('error', onBroken);
    // Broken before we came: no event will tell us any more.
    if (stream.destroyed) onBroken(stream.errored ?? undefined);
  });
}
