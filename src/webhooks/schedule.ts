// When a delivery that failed is tried again, and when it is given up.

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** Milliseconds after the first, the second … failed attempt; the last one from then on. */
const PAUSES = [
  5 * SECOND,
  30 * SECOND,
  2 * MINUTE,
  10 * MINUTE,
  30 * MINUTE,
  HOUR,
  3 * HOUR,
  6 * HOUR,
  12 * HOUR,
  DAY,
] as const;
const JITTER = 0.2;
/** Milliseconds after its first attempt after which a delivery is not tried again. */
export const GIVE_UP_MS = 3 * DAY;
const LONGEST_WISH = DAY;

export interface Failed {
  /** Failed attempts so far, this one included. */
  readonly tries: number;
  /** When the first of them was due, in milliseconds since 1970. */
  readonly since: number;
  readonly now: number;
  /** Milliseconds that the receiver asked for; the longer of its wish and ours is waited. */
  readonly wish?: number | undefined;
}

/** When to try again, in milliseconds since 1970; null: not any more. `random` gives 0–1. */
export function nextAttempt(
  { tries, since, now, wish = 0 }: Failed,
  random: () => number = Math.random,
): number | null {
  const pause = PAUSES[Math.min(tries, PAUSES.length) - 1] ?? PAUSES[0];
  // Or all that failed in one moment would come back in one moment.
  const jittered = pause * (1 - JITTER + 2 * JITTER * random());
  const at = now + Math.round(Math.max(jittered, Math.min(wish, LONGEST_WISH)));
  return at - since > GIVE_UP_MS ? null : at;
}

/** Milliseconds that `Retry-After` asks for: seconds or an HTTP date (RFC 9110, 10.2.3). Undefined if it says nothing of use. */
export function retryAfterMs(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  const text = value.trim();
  if (/^\d{1,10}$/.test(text)) return Math.min(Number(text) * SECOND, LONGEST_WISH);
  const at = /[a-z]/i.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? undefined : Math.min(Math.max(at - now, 0), LONGEST_WISH);
}
