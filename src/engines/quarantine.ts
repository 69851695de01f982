// Sources that took too long before: refused for a while, here and in the other processes.

import type { HintBus } from '../contracts.ts';

/** A client that tries again does so within minutes. */
const QUARANTINE_MS = 10 * 60_000;
/** Each of them cost a process, so there are never many; a bound all the same. */
const MOST = 1000;

export interface QuarantineOptions {
  readonly hints: HintBus | undefined;
  /** Milliseconds since 1970, the same in all processes. */
  readonly now: () => number;
  /** Told of every source that is refused from now on, and for how many seconds. */
  readonly onMark: (fingerprint: string, seconds: number) => void;
}

export class Quarantine {
  readonly #until = new Map<string, number>();
  readonly #hints: HintBus | undefined;
  readonly #now: () => number;
  readonly #onMark: (fingerprint: string, seconds: number) => void;
  readonly #unsubscribe: () => void;

  constructor({ hints, now, onMark }: QuarantineOptions) {
    this.#hints = hints;
    this.#now = now;
    this.#onMark = onMark;
    this.#unsubscribe =
      hints?.subscribe((hint) => {
        if (hint.topic === 'quarantine') this.#keep(hint.fingerprint, hint.until);
      }) ?? (() => undefined);
  }

  /** Nothing is kept, so that asking can be skipped. */
  get isEmpty(): boolean {
    return this.#until.size === 0;
  }

  add(fingerprint: string): void {
    const until = this.#now() + QUARANTINE_MS;
    this.#keep(fingerprint, until);
    this.#hints?.publish({ topic: 'quarantine', fingerprint, until });
  }

  /** Seconds that it still lasts, or undefined for a source that may come in. */
  secondsLeft(fingerprint: string): number | undefined {
    const until = this.#until.get(fingerprint);
    if (until === undefined) return undefined;
    const left = until - this.#now();
    if (left > 0) return Math.ceil(left / 1000);
    this.#until.delete(fingerprint);
    return undefined;
  }

  close(): void {
    this.#unsubscribe();
  }

  #keep(fingerprint: string, until: number): void {
    // The oldest go first: a Map keeps the order in which its keys came.
    this.#until.delete(fingerprint);
    this.#until.set(fingerprint, until);
    for (const oldest of this.#until.keys()) {
      if (this.#until.size <= MOST) break;
      this.#until.delete(oldest);
    }
    const seconds = this.secondsLeft(fingerprint);
    if (seconds !== undefined) this.#onMark(fingerprint, seconds);
  }
}
