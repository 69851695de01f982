// Waits for a condition that no event tells of.

import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Asks again and again until `condition` gives something truthy, and resolves with that.
 * Rejects after `timeoutMs`, saying what it waited for and what it saw last.
 */
export async function eventually<T>(
  what: string,
  condition: () => T | Promise<T>,
  { timeoutMs = 10_000, everyMs = 25 }: { readonly timeoutMs?: number; readonly everyMs?: number } = {},
): Promise<NonNullable<Awaited<T>>> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const seen = await condition();
    if (seen) return seen;
    if (performance.now() >= end) throw new Error(`${what}: not within ${timeoutMs / 1000} s`);
    await sleep(everyMs);
  }
}
