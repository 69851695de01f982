// The events of all processes as they are committed: one reader a process, which everyone who waits shares.

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { EventFilter, JobEvent } from '../contracts.ts';

/** Whom a reader tells. */
export interface FeedTold {
  readonly events: (events: readonly JobEvent[]) => void;
  readonly rewind: (newest: number) => void;
}

/** Reads the events of a queue for the feed, while somebody waits for them. */
export interface FeedReader {
  /**
   * Tells all events, in order, from now on; those that are told in one go follow one another without a hole. Returns the
   * sequence behind which they begin. `rewind` says that the newest has become older: what came after it is gone.
   */
  begin(told: FeedTold): number | Promise<number>;
  end(): void;
  /** Something was committed here: looks at once. */
  wake(): void;
  /** Those after `position`, up to and with `until`, in order: at most `limit`. */
  past(
    position: number,
    until: number,
    limit: number,
    of: EventFilter | undefined,
  ): PastEvents | Promise<PastEvents>;
}

export interface PastEvents {
  readonly events: readonly JobEvent[];
  /** Some after `position` are not kept any more; then there are no events here. */
  readonly isLost: boolean;
}

/** Who takes the events of a tenant, of a job, or all of them, one after the other. */
export interface Follower {
  readonly of: EventFilter | undefined;
  /** Up to here it is done with its events. While it is idle it is done with all that the feed has read. */
  position: number;
  /** Nothing is there for it. */
  isIdle: boolean;
  wake: () => void;
}

/** What there is for a follower. */
export interface TakenEvents extends PastEvents {
  /** Up to here there is no other; of those that are lost: from here it goes on. */
  readonly through: number;
}

/** While it is held, the feed runs. */
export interface Hold extends Disposable {
  /** What is committed from then on reaches the holder; undefined where that is so already. */
  readonly begun: Promise<void> | undefined;
}

const ENDS: ReadonlySet<JobEvent['type']> = new Set(['succeeded', 'failed', 'cancelled', 'removed']);
/** Events that a follower takes at once. */
const PIECE = 100;
/** Events kept in memory, so that a thousand watchers do not read each one from the database. */
const RECENT = 1000;

export class EventFeed {
  readonly #reader: FeedReader;
  readonly #onEvent: (event: JobEvent) => void;
  /** Contiguous, the last one is `#newest`. */
  #recent: JobEvent[] = [];
  #newest = 0;
  #holders = 0;
  #rewinds = 0;
  #begun: Promise<void> | undefined;
  #closed = false;
  /** By whose events they take, so that an event costs nothing for those whom it does not concern. */
  readonly #followers = new Map<string, Set<Follower>>();
  /** The last place in the line of those who are behind. */
  #line: Promise<unknown> = Promise.resolve();
  /** Of those who wait for the end of one job. */
  readonly #watching = new Map<string, Set<(why?: unknown) => void>>();

  /** `onEvent` is told each event once, in order, while the feed runs. */
  constructor(reader: FeedReader, onEvent: (event: JobEvent) => void = () => undefined) {
    this.#reader = reader;
    this.#onEvent = onEvent;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** The sequence of the newest event that it has read. */
  get newest(): number {
    return this.#newest;
  }

  /** How often sequences began to be given a second time. */
  get rewinds(): number {
    return this.#rewinds;
  }

  /** The feed runs while someone holds it. */
  hold(): Hold {
    if (this.#closed) return { begun: undefined, [Symbol.dispose]: () => undefined };
    if (this.#holders++ === 0) this.#begin();
    let held = true;
    return {
      begun: this.#begun,
      [Symbol.dispose]: () => {
        if (held && !this.#closed && --this.#holders === 0) this.#end();
        held = false;
      },
    };
  }

  /** Something was committed here, or somebody said so: looks for it in this turn of the event loop. */
  wake(): void {
    if (this.#holders > 0) this.#reader.wake();
  }

  /** The feed runs, and wakes the follower for its events. */
  enlist(follower: Follower): Hold {
    const held = this.hold();
    const key = keyOf(follower.of);
    const others = this.#followers.get(key) ?? new Set();
    this.#followers.set(key, others.add(follower));
    return {
      begun: held.begun,
      [Symbol.dispose]: () => {
        others.delete(follower);
        if (others.size === 0 && this.#followers.get(key) === others) this.#followers.delete(key);
        held[Symbol.dispose]();
      },
    };
  }

  /** What is there for an enlisted follower, from memory where possible. */
  take({ of, position }: Follower): TakenEvents | Promise<TakenEvents> {
    const newest = this.#newest;
    if (position >= newest) return { events: [], through: position, isLost: false };
    const first = this.#recent[0]?.sequence ?? newest + 1;
    if (position >= first - 1) {
      return takenUpTo(newest, { events: matching(this.#recent, position - first + 1, of), isLost: false });
    }
    const past = this.#reader.past(position, newest, PIECE, of);
    return past instanceof Promise
      ? past.then((events) => takenUpTo(newest, events))
      : takenUpTo(newest, past);
  }

  /** Resolves once there is an event for a follower that has taken all, or it is woken, or the feed closes. */
  idle(follower: Follower): Promise<void> {
    if (this.#closed) return Promise.resolve();
    follower.isIdle = true;
    return new Promise((resolve) => {
      follower.wake = resolve;
    });
  }

  /** A turn of the event loop for each who waits for one: what comes in meanwhile is served in between. */
  turn(): Promise<unknown> {
    this.#line = this.#line.then(() => nextTurn());
    return this.#line;
  }

  /** `woken` resolves at the end of a job, or its removal, or when the signal aborts or the feed closes. */
  watch(jobId: string, signal: AbortSignal): Disposable & { readonly woken: Promise<unknown> } {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    if (this.#closed || signal.aborted) resolve(undefined);
    const watchers = this.#watching.get(jobId) ?? new Set();
    this.#watching.set(jobId, watchers.add(resolve));
    signal.addEventListener('abort', resolve);
    return {
      woken: promise,
      [Symbol.dispose]: () => {
        watchers.delete(resolve);
        signal.removeEventListener('abort', resolve);
        if (watchers.size === 0 && this.#watching.get(jobId) === watchers) this.#watching.delete(jobId);
      },
    };
  }

  /** Ends all waiting. Twice is harmless. */
  close(): void {
    if (this.#holders > 0) this.#end();
    this.#closed = true;
    this.#holders = 0;
    for (const followers of this.#followers.values()) for (const { wake } of followers) wake();
    for (const watchers of this.#watching.values()) wakeEach(watchers);
  }

  #begin(): void {
    this.#recent = [];
    const newest = this.#reader.begin({
      events: (events) => this.#receive(events),
      rewind: (to) => this.#rewind(to),
    });
    if (typeof newest === 'number') {
      this.#newest = newest;
      return;
    }
    const begun = newest.then((sequence) => {
      if (this.#begun !== begun) return;
      this.#begun = undefined;
      this.#newest = sequence;
    });
    this.#begun = begun;
  }

  #end(): void {
    this.#begun = undefined;
    this.#reader.end();
  }

  #receive(events: readonly JobEvent[]): void {
    const last = events.at(-1);
    if (last === undefined) return;
    const gap = events[0]?.sequence !== this.#newest + 1;
    if (gap) this.#tellOfGap();
    this.#recent = [...(gap ? [] : this.#recent), ...events].slice(-RECENT);
    this.#newest = last.sequence;
    // First of all, and nothing of it throws: an idle follower's position has just moved on.
    for (const event of events) this.#tell(event);
    for (const event of events) this.#onEvent(event);
  }

  #rewind(newest: number): void {
    if (newest >= this.#newest) return;
    this.#rewinds++;
    this.#recent = [];
    for (const followers of this.#followers.values()) {
      for (const follower of followers) {
        const position = Math.min(follower.isIdle ? this.#newest : follower.position, newest);
        if (follower.isIdle) rouse(follower, follower.position);
        follower.position = position;
      }
    }
    this.#newest = newest;
    for (const watchers of this.#watching.values()) wakeEach(watchers);
  }

  #tell({ sequence, tenant, jobId, type }: JobEvent): void {
    if (ENDS.has(type)) wakeEach(this.#watching.get(jobId));
    for (const whose of [undefined, { tenant }, { jobId }]) {
      for (const follower of this.#followers.get(keyOf(whose)) ?? []) rouse(follower, sequence - 1);
    }
  }

  /** This process was away for so long that events were pruned before it read them: whoever waits must hear of it. */
  #tellOfGap(): void {
    for (const followers of this.#followers.values()) {
      for (const follower of followers) rouse(follower, Math.max(follower.position, this.#newest));
    }
    for (const watchers of this.#watching.values()) wakeEach(watchers);
  }
}

function takenUpTo(newest: number, { events, isLost }: PastEvents): TakenEvents {
  const last = events.length < PIECE ? undefined : events.at(-1);
  return { events, through: last?.sequence ?? newest, isLost };
}

function wakeEach(wakers: Set<(why?: unknown) => void> | undefined): void {
  for (const wake of wakers ?? []) wake();
}

/** What follows `position` is for it. */
function rouse(follower: Follower, position: number): void {
  if (!follower.isIdle || position < follower.position) return;
  follower.isIdle = false;
  follower.position = position;
  follower.wake();
}

function matching(events: readonly JobEvent[], start: number, of: EventFilter | undefined): JobEvent[] {
  const found: JobEvent[] = [];
  for (let at = start; at < events.length && found.length < PIECE; at++) {
    const event = events[at] as JobEvent;
    if (of === undefined || ('jobId' in of ? of.jobId === event.jobId : of.tenant === event.tenant))
      found.push(event);
  }
  return found;
}

function keyOf(of: EventFilter | undefined): string {
  if (of === undefined) return '';
  return 'jobId' in of ? `job ${of.jobId}` : `tenant ${of.tenant}`;
}
