// Reads the events of the embedded queue for the feed: looks at the database a few times a second, and when it is woken.

import type { EventFilter, JobEvent } from '../contracts.ts';
import type { FeedReader } from './event-feed.ts';

export interface EventSource {
  between(sequence: number, until: number, limit: number, of?: EventFilter): readonly JobEvent[];
  newest(): number;
  hasForgotten(sequence: number): boolean;
  dataVersion(): number;
}

interface PollOptions {
  readonly source: EventSource;
  /** Between looks at the database. */
  readonly pollMilliseconds: number;
  /** With every look at the database, whether or not something happened. */
  readonly onTick: () => void;
  readonly onError: (error: unknown) => void;
}

/** Rows read at once, so that the event loop is never held for long. */
const BATCH = 500;

export function sqlitePoll({ source, pollMilliseconds, onTick, onError }: PollOptions): FeedReader {
  let tell: (events: readonly JobEvent[]) => void = () => undefined;
  let newest = 0;
  let version = 0;
  let timer: NodeJS.Timeout | undefined;
  let waking: NodeJS.Immediate | undefined;

  function guard(look: () => void): void {
    try {
      look();
    } catch (error) {
      waking = undefined;
      // Equal to no version: the next tick reads again.
      version = -1;
      onError(error);
    }
  }

  function tick(): void {
    guard(() => {
      const seen = source.dataVersion();
      if (seen !== version) read();
      // Only now: if reading failed, the next look must try again.
      version = seen;
      onTick();
    });
  }

  function read(): void {
    // A tick may have come before it.
    clearImmediate(waking);
    waking = undefined;
    const events = source.between(newest, Number.MAX_SAFE_INTEGER, BATCH);
    newest = events.at(-1)?.sequence ?? newest;
    tell(events);
    if (events.length === BATCH) wake();
  }

  function wake(): void {
    if (timer !== undefined) waking ??= setImmediate(() => guard(read));
  }

  return {
    wake,
    begin(told) {
      tell = told.events;
      version = source.dataVersion();
      newest = source.newest();
      timer = setInterval(tick, pollMilliseconds);
      return newest;
    },
    end() {
      clearInterval(timer);
      clearImmediate(waking);
      timer = undefined;
      waking = undefined;
    },
    past(position, until, limit, of) {
      if (source.hasForgotten(position)) return { events: [], isLost: true };
      return { events: source.between(position, until, limit, of), isLost: false };
    },
  };
}
