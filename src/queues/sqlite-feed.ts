// The events of all processes as they are committed: one poller a process, which everyone who waits shares.

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { EventFilter, JobEvent } from '../contracts.ts';

interface FeedSource {
  between(sequence: number, until: number, limit: number, of?: EventFilter): readonly JobEvent[];
  newest(): number;
  hasForgotten(sequence: number): boolean;
  dataVersion(): number;
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
interface Taken {
  readonly events: readonly JobEvent[];
  /** Up to here there is no other. */
  readonly through: number;
  /** Some that it has not seen are not kept any more: it goes on from `through`. */
  readonly isLost: boolean;
}

interface FeedOptions {
  readonly source: FeedSource;
  /** Between looks at the database. */
  readonly pollMilliseconds: number;
  /** Each event once, in order, while the feed runs. */
  readonly onEvent: (event: JobEvent) => void;
  /** With every look at the database, whether or not something happened. */
  readonly onTick: () => void;
  readonly onError: (error: unknown) => void;
}

/** Rows read at once, so that the event loop is never held for long. */
const BATCH = 500;
/** Events that a follower takes at once. */
const PIECE = 100;
/** Events kept in memory, so that a thousand watchers do not read each one from the database. */
const RECENT = 1000;

export class EventFeed {
  readonly #options: FeedOptions;
  /** Contiguous, the last one is `#newest`. */
  #recent: JobEvent[] = [];
  #newest = 0;
  #version = 0;
  #holders = 0;
  #timer: NodeJS.Timeout | undefined;
  #waking: NodeJS.Immediate | undefined;
  #closed = false;
  /** By whose events they take, so that an event costs nothing for those whom it does not concern. */
  readonly #followers = new Map<string, Set<Follower>>();
  /** The last place in the line of those who are behind. */
  #line: Promise<unknown> = Promise.resolve();
  /** Of those who wait for events of one job. */
  readonly #watching = new Map<string, Set<() => void>>();

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** The sequence of the newest event that it has read. */
  get newest(): number {
    return this.#newest;
  }

  /** The feed runs while someone holds it. What is committed from this call on reaches the holder. */
  hold(): Disposable {
    if (this.#closed) return { [Symbol.dispose]: () => undefined };
    if (this.#holders === 0) {
      this.#version = this.#options.source.dataVersion();
      this.#newest = this.#options.source.newest();
      this.#recent = [];
      this.#timer = setInterval(() => this.#tick(), this.#options.pollMilliseconds);
    }
    this.#holders++;
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (held) this.#release();
        held = false;
      },
    };
  }

  /** Something was committed, here or elsewhere: looks for it in this turn of the event loop. */
  wake(): void {
    if (this.#timer !== undefined) this.#waking ??= setImmediate(() => this.#guard(() => this.#read()));
  }

  /** The feed runs, and wakes the follower for its events. */
  enlist(follower: Follower): Disposable {
    const held = this.hold();
    const key = keyOf(follower.of);
    const others = this.#followers.get(key) ?? new Set();
    this.#followers.set(key, others.add(follower));
    return {
      [Symbol.dispose]: () => {
        others.delete(follower);
        if (others.size === 0 && this.#followers.get(key) === others) this.#followers.delete(key);
        held[Symbol.dispose]();
      },
    };
  }

  /** What is there for an enlisted follower, from memory where possible. */
  take({ of, position }: Follower): Taken {
    const { source } = this.#options;
    const newest = this.#newest;
    if (position >= newest) return { events: [], through: position, isLost: false };
    const first = this.#recent[0]?.sequence ?? newest + 1;
    const isRecent = position >= first - 1;
    const events = isRecent
      ? matching(this.#recent, position - first + 1, of)
      : source.between(position, newest, PIECE, of);
    // Asked afterwards: they are pruned while they are read.
    if (!isRecent && source.hasForgotten(position)) return { events: [], through: newest, isLost: true };
    const last = events.length < PIECE ? undefined : events.at(-1);
    return { events, through: last?.sequence ?? newest, isLost: false };
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

  /** Resolves at the next event of a job, or when the signal aborts or the feed closes. */
  async nextOf(jobId: string, signal: AbortSignal): Promise<void> {
    const watchers = this.#watching.get(jobId) ?? new Set();
    this.#watching.set(jobId, watchers);
    await this.#woken(watchers, signal);
    if (watchers.size === 0 && this.#watching.get(jobId) === watchers) this.#watching.delete(jobId);
  }

  /** Ends all waiting. Twice is harmless. */
  close(): void {
    this.#closed = true;
    this.#holders = 0;
    this.#stop();
    for (const followers of this.#followers.values()) for (const { wake } of followers) wake();
    for (const watchers of this.#watching.values()) wakeEach(watchers);
  }

  #woken(wakers: Set<() => void>, signal: AbortSignal): Promise<void> {
    if (this.#closed || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        wakers.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      wakers.add(wake);
      signal.addEventListener('abort', wake);
    });
  }

  #tick(): void {
    this.#guard(() => {
      const version = this.#options.source.dataVersion();
      if (version !== this.#version) this.#read();
      // Only now: if reading failed, the next look must try again.
      this.#version = version;
      this.#options.onTick();
    });
  }

  #read(): void {
    this.#waking = undefined;
    const events = this.#options.source.between(this.#newest, Number.MAX_SAFE_INTEGER, BATCH);
    const last = events.at(-1);
    if (last === undefined) return;
    const gap = events[0]?.sequence !== this.#newest + 1;
    if (gap) this.#tellOfGap();
    this.#recent = [...(gap ? [] : this.#recent), ...events].slice(-RECENT);
    this.#newest = last.sequence;
    // First of all, and nothing of it throws: an idle follower's position has just moved on.
    for (const event of events) this.#tell(event);
    for (const event of events) this.#options.onEvent(event);
    if (events.length === BATCH) this.wake();
  }

  #guard(look: () => void): void {
    try {
      look();
    } catch (error) {
      this.#waking = undefined;
      // Equal to no version: the next tick reads again.
      this.#version = -1;
      this.#options.onError(error);
    }
  }

  #tell({ sequence, tenant, jobId }: JobEvent): void {
    wakeEach(this.#watching.get(jobId));
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

  #release(): void {
    if (this.#closed) return;
    this.#holders--;
    if (this.#holders === 0) this.#stop();
  }

  #stop(): void {
    clearInterval(this.#timer);
    clearImmediate(this.#waking);
    this.#timer = undefined;
    this.#waking = undefined;
  }
}

function wakeEach(wakers: Set<() => void> | undefined): void {
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
