// One reader of events: what it has taken, when it is woken, and that a backlog never holds up the process.

import type { EventFilter, EventsLost, EventStream, JobEvent } from '../contracts.ts';
import type { EventFeed, Follower, TakenEvents } from './event-feed.ts';

interface From {
  readonly of: EventFilter | undefined;
  /** Where it begins, once that is known. */
  readonly after: number | Promise<number>;
  /** What it says of its position until then. */
  readonly meanwhile?: number;
  readonly signal: AbortSignal;
}

/** `read` calls what reads past events, if need be until that works; undefined: the signal has aborted meanwhile. */
export function followEvents(
  feed: EventFeed,
  { of, after, meanwhile = 0, signal }: From,
  read: (question: () => TakenEvents | Promise<TakenEvents>) => Promise<TakenEvents | undefined>,
): EventStream {
  const begin = typeof after === 'number' ? after : meanwhile;
  const follower: Follower = { of, position: begin, isIdle: false, wake: () => undefined };
  const known =
    typeof after === 'number'
      ? undefined
      : after.then((sequence) => {
          follower.position = sequence;
        });
  // Told to whoever iterates.
  known?.catch(() => undefined);
  const positionNow = (): number =>
    follower.isIdle ? Math.max(follower.position, feed.newest) : follower.position;

  async function* follow(): AsyncGenerator<JobEvent | EventsLost, void, undefined> {
    const stopped = Promise.withResolvers<void>();
    const stop = (): void => {
      stopped.resolve();
      follower.wake();
    };
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    using held = feed.enlist(follower);
    try {
      await Promise.race([known, stopped.promise]);
      await Promise.race([held.begun, stopped.promise]);
      for (let isBehind = true; !signal.aborted && !feed.closed; ) {
        // Of all that are behind, one takes one piece in a turn of the event loop.
        if (isBehind) await feed.turn();
        if (signal.aborted || feed.closed) return;
        const { rewinds } = feed;
        const taken = await read(() => feed.take(follower));
        if (taken === undefined) return;
        if (taken.isLost) {
          follower.position = taken.through;
          yield { type: 'lost', sequence: taken.through };
        }
        for (const event of taken.events) {
          if (signal.aborted) return;
          yield event;
          // Only now is it done with.
          follower.position = event.sequence;
        }
        const isRewound = feed.rewinds > rewinds;
        follower.position = isRewound ? Math.min(taken.through, feed.newest) : taken.through;
        isBehind = feed.newest > follower.position;
        if (!isBehind && !signal.aborted) await feed.idle(follower);
      }
    } finally {
      follower.position = positionNow();
      follower.isIdle = false;
      signal.removeEventListener('abort', stop);
    }
  }

  return {
    get position() {
      return positionNow();
    },
    [Symbol.asyncIterator]: follow,
  };
}
