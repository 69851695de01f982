// A wait that ends early with the reason that it was given.

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
