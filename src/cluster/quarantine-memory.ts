// What the primary remembers of quarantined images, for processes that are forked later.

import type { Hint } from '../contracts.ts';

type QuarantineHint = Extract<Hint, { topic: 'quarantine' }>;

/** Past it the oldest are forgotten: each costs its sender a process, so there are never many. */
const MOST = 1000;

export class QuarantineMemory {
  readonly #hints = new Map<string, QuarantineHint>();

  /** Keeps a hint if it is of that kind. `now` in milliseconds since 1970. */
  hear(hint: Hint, now: number): void {
    if (hint.topic !== 'quarantine') return;
    for (const [fingerprint, { until }] of this.#hints) if (until <= now) this.#hints.delete(fingerprint);
    this.#hints.delete(hint.fingerprint);
    this.#hints.set(hint.fingerprint, hint);
    if (this.#hints.size > MOST) this.#hints.delete(this.#hints.keys().next().value ?? '');
  }

  /** Those that still hold. */
  current(now: number): QuarantineHint[] {
    return this.#hints
      .values()
      .filter(({ until }) => until > now)
      .toArray();
  }
}
