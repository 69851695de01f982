// The bytes of a request that may break off: what has come is worth keeping, so a break is an end and no error.

import type { Readable } from 'node:stream';
import { incomplete } from '../lib/detach.ts';
import type { Problem } from '../problems.ts';

export interface Incoming {
  /** Ends, whatever happens: with the body, when it breaks off, or when it is stopped. May be read once. */
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Why it ended before the body's end; undefined if it did not. */
  broken(): Problem | undefined;
}

/** Lets go of the source at the end instead of destroying it: the answer goes over the same socket. */
export function incoming(source: Readable, stop: AbortSignal): Incoming {
  let broken: Problem | undefined;
  async function* chunks(): AsyncGenerator<Uint8Array> {
    const waiting: Uint8Array[] = [];
    let over = false;
    let wake = (): void => undefined;
    const end = (why?: Problem): void => {
      if (!over) broken = why;
      over = true;
      wake();
    };
    const onData = (chunk: Uint8Array): void => {
      source.pause();
      waiting.push(chunk);
      wake();
    };
    const onEnd = (): void => end();
    const onBroken = (error?: unknown): void => end(incomplete(error));
    const onStop = (): void => end(stop.reason as Problem);
    if (source.destroyed) onBroken(source.errored ?? undefined);
    else if (source.readableEnded) onEnd();
    if (stop.aborted) onStop();
    source.on('data', onData).once('end', onEnd).once('close', onBroken).once('error', onBroken);
    stop.addEventListener('abort', onStop);
    try {
      for (;;) {
        const chunk = waiting.shift();
        if (chunk !== undefined) yield chunk;
        else if (over) return;
        else {
          const { promise, resolve } = Promise.withResolvers<void>();
          wake = resolve;
          source.resume();
          await promise;
        }
      }
    } finally {
      source.pause();
      source.off('data', onData).off('end', onEnd).off('close', onBroken);
      // 'error' stays listened to: an unheard one ends the process.
      stop.removeEventListener('abort', onStop);
    }
  }
  return { chunks: chunks(), broken: () => broken };
}
