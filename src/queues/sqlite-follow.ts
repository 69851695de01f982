// One reader of events: what it has taken, when it is woken, and that a backlog never holds up the process.

import type { EventFilter, EventsLost, EventStream, JobEvent } from '../contracts.ts';
import type { EventFeed, Follower } from './sqlite-feed.ts';

interface From {
  readonly of: EventFilter | undefined;
  readonly after: number;
  readonly signal: AbortSignal;
}

/** `read` calls what reads the database, if need be until that works. */
export function followEvents(
  feed: EventFeed,
  { of, after, signal }: From,
  read: <T>(question: () => T) => Promise<T>,
): EventStream {
  const follower: Follower = { of, position: after, isIdle: false, wake: () => undefined };
  const positionNow = (): number =>
    follower.isIdle ? Math.max(follower.position, feed.newest) : follower.position;

  async function* follow(): AsyncGenerator<JobEvent | EventsLost, void, undefined> {
    using _ = feed.enlist(follower);
    const stop = (): void => follower.wake();
    signal.addEventListener('abort', stop);
    try {
      for (let isBehind = true; !signal.aborted && !feed.closed; ) {
        // Of all that are behind, one takes one piece in a turn of the event loop.
        if (isBehind) await feed.turn();
        if (signal.aborted || feed.closed) return;
        const taken = await read(() => feed.take(follower));
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
        follower.position = taken.through;
        isBehind = feed.newest > taken.through;
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
