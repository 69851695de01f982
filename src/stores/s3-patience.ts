// Calls that go on trying while the store is away: what took hours to make is not given up over a break of seconds.

import { setTimeout as sleep } from 'node:timers/promises';
import { Problem } from '../problems.ts';

/** Milliseconds after which the store is given up, and between two tries. */
const PATIENCE_MS = 60_000;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 4000;

/** How one call is made, or made again. Rejects with the signal's reason. */
export type Manner = <T>(call: () => Promise<T>, signal?: AbortSignal) => Promise<T>;

export const once: Manner = (call) => call();

export const patiently: Manner = async (call, signal) => {
  const end = performance.now() + PATIENCE_MS;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    try {
      return await call();
    } catch (error) {
      const isAway = error instanceof Problem && error.code === 'backend_unavailable';
      if (!isAway || performance.now() + pause > end) throw error;
      await sleep(pause, undefined, { ...(signal && { signal }) });
    }
  }
};
