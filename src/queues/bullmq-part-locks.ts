// The locks of parts that run: kept over an outage of Redis.

import type { Redis } from '../redis/connection.ts';
import { scriptsOf } from '../redis/scripts.ts';

// A lock that has run out while Redis was away is taken again where nobody else has taken it.
// KEYS: the lock, the part, BullMQ's marks of stalled ones. ARGV: token, milliseconds, id.
const KEEP = `
local holder = redis.call('GET', KEYS[1])
if (holder and holder ~= ARGV[1]) or redis.call('EXISTS', KEYS[2]) == 0 then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('SREM', KEYS[3], ARGV[3])
return 1`;

export interface PartLocks {
  /** Renews; false if somebody else has the part, or it is gone. */
  keep(id: string, token: string): Promise<boolean>;
}

/** `keyOf`: BullMQ's key of a name in the queue. */
export function partLocks(
  redis: Redis,
  keyOf: (name: string) => string,
  { leaseMs }: { readonly leaseMs: number },
): PartLocks {
  const { keepPart } = scriptsOf(redis, { keepPart: KEEP });
  return {
    async keep(id, token) {
      const keys = [`${keyOf(id)}:lock`, keyOf(id), keyOf('stalled')];
      return (await keepPart(keys, [token, leaseMs, id])) === 1;
    },
  };
}
