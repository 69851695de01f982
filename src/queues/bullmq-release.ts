// Takes what a dead process holds in one of BullMQ's queues from it, at once, instead of when its locks run out.

import type { Redis } from '../redis/connection.ts';
import { scriptsOf } from '../redis/scripts.ts';

// Counted and taken in one step: all processes of the fleet hear of a death, and only the first is to find anything. The rest
// is what moveJobFromActiveToWait-9.lua does, and the wake-up that it leaves out for what has a priority.
// KEYS: what all keys of the queue begin with, one slot of a Redis Cluster. ARGV: how tokens begin, stalls that are one too many.
const RELEASE = `
local p = KEYS[1]
local most = tonumber(ARGV[2])
local found = 0
for _, id in ipairs(redis.call('LRANGE', p..'active', 0, -1)) do
  local token = redis.call('GET', p..id..':lock')
  if token and string.sub(token, 1, #ARGV[1]) == ARGV[1] then
    redis.call('DEL', p..id..':lock')
    redis.call('SREM', p..'stalled', id)
    redis.call('LREM', p..'active', 1, id)
    if redis.call('EXISTS', p..id) == 1 then
      if most > 0 and redis.call('HINCRBY', p..id, 'stc', 1) >= most then
        redis.call('HSET', p..id, 'defa', 'its process died too often')
      end
      local priority = tonumber(redis.call('HGET', p..id, 'priority')) or 0
      if priority > 0 then redis.call('ZADD', p..'prioritized', string.format('%.0f', priority * 0x100000000), id)
      else redis.call('RPUSH', p..'wait', id) end
      found = found + 1
    end
  end
end
if found > 0 then redis.call('ZADD', p..'marker', 0, '0') end
return found`;

/**
 * What the process holds waits again, as the next of its priority. Each counts as stalled once more, as it would if its lock
 * ran out, and fails when that is `mostStalls` times; 0 counts nothing. `keyPrefix`: BullMQ's, of all keys of the queue.
 */
export type Release = (keyPrefix: string, owner: string, mostStalls: number) => Promise<void>;

export function releaseBy(redis: Redis): Release {
  const { release } = scriptsOf(redis, { release: RELEASE });
  return async (keyPrefix, owner, mostStalls) => {
    // Tokens begin with who holds them.
    await release([keyPrefix], [`${owner} `, mostStalls]);
  };
}
