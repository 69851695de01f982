// The events of all processes as they are committed: one poller a process, which everyone who waits shares.

import type { JobEvent } from '../contracts.ts';

interface FeedSource {
  eventsAfter(sequence: number, limit: number): readonly JobEvent[];
  newestEvent(): number;
  dataVersion(): number;
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
  /** Of those who wait for any event. */
  readonly #waiting = new Set<() => void>();
  /** Of those who wait for events of one job. */
  readonly #watching = new Map<string, Set<() => void>>();

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** The feed runs while someone holds it. What is committed from this call on reaches the holder. */
  hold(): Disposable {
    if (this.#closed) return { [Symbol.dispose]: () => undefined };
    if (this.#holders === 0) {
      this.#version = this.#options.source.dataVersion();
      this.#newest = this.#options.source.newestEvent();
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

  /** Events after a sequence, from memory where possible: at most 100. */
  after(sequence: number): readonly JobEvent[] {
    const first = this.#recent[0]?.sequence;
    if (this.#timer === undefined || first === undefined || sequence < first - 1) {
      if (this.#timer !== undefined && sequence >= this.#newest) return [];
      return this.#options.source.eventsAfter(sequence, 100);
    }
    const start = sequence - first + 1;
    return this.#recent.slice(start, start + 100);
  }

  /** Resolves once there is an event after `sequence`, the signal aborts or the feed closes. */
  async next(sequence: number, signal: AbortSignal): Promise<void> {
    if (this.#newest > sequence) return;
    await this.#woken(this.#waiting, signal);
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
    this.#wakeAll();
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
    const events = this.#options.source.eventsAfter(this.#newest, BATCH);
    const last = events.at(-1);
    if (last === undefined) return;
    const gap = events[0]?.sequence !== this.#newest + 1;
    this.#recent = [...(gap ? [] : this.#recent), ...events].slice(-RECENT);
    this.#newest = last.sequence;
    for (const event of events) this.#options.onEvent(event);
    if (gap) this.#wakeAll();
    for (const { jobId } of events) wakeEach(this.#watching.get(jobId));
    wakeEach(this.#waiting);
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

  #wakeAll(): void {
    wakeEach(this.#waiting);
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
