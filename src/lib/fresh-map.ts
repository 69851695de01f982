// Remembers for a moment what is asked for again and again, and asks only once at a time.

import { RecentMap } from './recent-map.ts';

interface Entry<T> {
  /** When it was asked for, which is before it was true. */
  readonly at: number;
  readonly value: Promise<T>;
}

export interface FreshMapOptions {
  /** Milliseconds after which the answer is asked for anew. */
  readonly forMs: number;
  /** Most answers that are remembered. */
  readonly most: number;
  /** Milliseconds on a clock that never jumps. */
  readonly clock?: () => number;
}

/** Answers of `read` that are at most `forMs` old. A failure is told to all who wait for it, and not remembered. */
export class FreshMap<K, T> {
  readonly #entries: RecentMap<K, Entry<T>>;
  readonly #read: (key: K) => Promise<T>;
  readonly #forMs: number;
  readonly #clock: () => number;

  constructor(
    read: (key: K) => Promise<T>,
    { forMs, most, clock = () => performance.now() }: FreshMapOptions,
  ) {
    this.#entries = new RecentMap(most);
    this.#read = read;
    this.#forMs = forMs;
    this.#clock = clock;
  }

  get(key: K): Promise<T> {
    const now = this.#clock();
    const known = this.#entries.get(key);
    if (known !== undefined && now - known.at < this.#forMs) return known.value;
    const entry = { at: now, value: this.#read(key) };
    this.#entries.set(key, entry);
    entry.value.catch(() => {
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
    });
    return entry.value;
  }

  forget(key: K): void {
    this.#entries.delete(key);
  }
}
