// How many videos this process streams at once: a place is taken before the body is read, and free when FFmpeg is gone.

import type { FastifyReply } from 'fastify';
import { Problem } from '../problems.ts';

export interface StreamSlots {
  /**
   * Takes a place for an answer. It is free when `hold` has let go of it, or else when the answer is closed.
   * Throws `overloaded`; `upload_incomplete` for a client that is gone already.
   */
  take(reply: FastifyReply): void;
  /** From here on the place is free only when the returned function is called. */
  hold(reply: FastifyReply): () => void;
}

export function streamSlots(most: number): StreamSlots {
  const taken = new Set<FastifyReply>();
  const held = new WeakSet<FastifyReply>();
  return {
    take(reply) {
      // Its `close` has been and will not come again: nothing would ever free the place.
      if (reply.raw.destroyed || reply.raw.closed || reply.request.raw.socket.destroyed) {
        throw new Problem('upload_incomplete', 'The client left before the video came.');
      }
      if (taken.size >= most) {
        throw new Problem(
          'overloaded',
          `${taken.size} videos are being streamed already, which is the most that this process does at once. Try again later, or send it with delivery=job.`,
          { retryAfter: 10 },
        );
      }
      taken.add(reply);
      reply.raw.once('close', () => {
        if (!held.has(reply)) taken.delete(reply);
      });
    },
    hold(reply) {
      held.add(reply);
      return () => void taken.delete(reply);
    },
  };
}
