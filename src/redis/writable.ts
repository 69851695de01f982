// Whether a Redis takes writes: one that only answers is of no use.

import type { Redis } from './connection.ts';

/**
 * Rejects as any write would (READONLY, OOM, MISCONF, NOREPLICAS), and changes nothing: SETRANGE of no bytes makes no key.
 * https://redis.io/docs/latest/commands/setrange/
 */
export async function tryWrite(redis: Redis, prefix: string): Promise<void> {
  await redis.setrange(`{${prefix}}:writable`, 0, '');
}
