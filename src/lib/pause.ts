// Waits that end early: with the reason that they were given, or as if their time were over.

import { setTimeout as delay } from 'node:timers/promises';

/**
 * Resolves after so many milliseconds. Rejects with the signal's own reason, as a call to the store or to Redis does:
 * Node's timer would give an AbortError in its place, and whoever cancelled could not tell it from a failure.
 */
export async function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  try {
    await delay(milliseconds, undefined, { ...(signal && { signal }) });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

/** Resolves after so many milliseconds, or as soon as the signal aborts. */
export async function rest(milliseconds: number, signal?: AbortSignal): Promise<void> {
  await pause(milliseconds, signal).catch(() => undefined);
}
