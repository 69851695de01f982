// The time of Redis, so that all machines of a fleet agree on what is due and whose lease has run out.

import { unreachable } from './connection.ts';
import type { Redis } from './connection.ts';

export interface SharedClock extends Disposable {
  /** Milliseconds since 1970, as Redis counts them. */
  now(): number;
}

const LOOK_EVERY_MS = 15_000;
/** An answer that took longer says little about the time: half of it is the most that it may be wrong. */
const LONGEST_WAY_MS = 500;
/** So often it is asked at the start for a quick answer. Then the quickest has to do. */
const FIRST_LOOKS = 5;

/** Milliseconds by which a machine's clock may differ from that of Redis and nobody need know. */
const MOST_SKEW_MS = 5000;

/**
 * Warns where this machine's own clock is not that of Redis. BullMQ goes by each machine's own: a pause before another attempt
 * is as much longer or shorter as they differ.
 */
export function warnOfSkew(
  clock: Pick<SharedClock, 'now'>,
  log: { warn(fields: object, message: string): void },
): void {
  const ahead = Date.now() - clock.now();
  if (Math.abs(ahead) <= MOST_SKEW_MS) return;
  log.warn(
    { secondsAhead: Math.round(ahead / 1000) },
    "this machine's clock differs from that of Redis: pauses before another attempt are too long or too short. Have both set by NTP",
  );
}

/** Asks Redis how late it is, now and every 15 seconds. Rejects `backend_unavailable` where it cannot be reached. */
export async function sharedClock(redis: Pick<Redis, 'time'>): Promise<SharedClock> {
  // Reckoned from the time since the process began, which nobody sets: a step of this machine's clock changes nothing.
  let began = 0;
  let way = Infinity;
  /** Whether the answer was a quick one. */
  const look = async (): Promise<boolean> => {
    const asked = performance.now();
    const [seconds, micros] = await redis.time();
    const answered = performance.now();
    const isQuick = answered - asked <= LONGEST_WAY_MS;
    if (!isQuick && answered - asked >= way) return false;
    way = answered - asked;
    // Half of the way there and back is reckoned for the way here.
    began = Number(seconds) * 1000 + Number(micros) / 1000 - (asked + answered) / 2;
    return isQuick;
  };
  try {
    for (let looks = 0; looks < FIRST_LOOKS; looks++) if (await look()) break;
  } catch (error) {
    throw unreachable(error);
  }
  const timer = setInterval(() => {
    look().catch(() => undefined); // the old difference is good enough meanwhile
  }, LOOK_EVERY_MS);
  timer.unref();
  return {
    now: () => Math.round(performance.now() + began),
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
