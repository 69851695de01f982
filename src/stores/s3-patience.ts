// Calls that go on trying while the store is away: what took hours to make is not given up over a break of seconds.

import { pause } from '../lib/pause.ts';
import { isAway } from '../problems.ts';

/** Milliseconds after which the store is given up, and between two tries. */
const PATIENCE_MS = 60_000;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 4000;

/** How one call is made, or made again. Rejects with the signal's reason. */
export type Manner = <T>(call: () => Promise<T>, signal?: AbortSignal) => Promise<T>;

export const once: Manner = (call) => call();

export const patiently: Manner = async (call, signal) => {
  const end = performance.now() + PATIENCE_MS;
  for (let ms = FIRST_PAUSE_MS; ; ms = Math.min(2 * ms, LONGEST_PAUSE_MS)) {
    try {
      return await call();
    } catch (error) {
      if (!isAway(error) || performance.now() + ms > end) throw error;
      await pause(ms, signal);
    }
  }
};
