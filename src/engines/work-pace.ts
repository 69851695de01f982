// How long images take of late, from which it is estimated when one may come back.

/** The newest image's share of the mean time. */
const WEIGHT = 0.1;

export class WorkPace {
  #meanMs = 100;

  add(ms: number): void {
    this.#meanMs += (ms - this.#meanMs) * WEIGHT;
  }

  /** Seconds until so many are probably worked off. */
  retryAfter(waiting: number, threads: number): number {
    const ms = ((waiting + 1) * this.#meanMs) / threads;
    return Math.min(60, Math.max(1, Math.ceil(ms / 1000)));
  }
}
