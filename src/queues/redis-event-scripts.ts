// The events of the ledger in Redis (Lua): told by the script that commits a change, kept for whoever comes back. For the keys see redis-scripts.ts.

/** Which events are kept for resuming: see `Keeping` of the embedded queue, with the same numbers. */
const LEAST = 10_000;
const YOUNG_MS = 600_000;
const MOST = 1_000_000;
/** They are pruned once in so many; twice as many as come meanwhile, so that what a flood left behind shrinks. */
const PRUNE_EVERY = 256;
const PRUNED_AT_ONCE = 512;

/** What every script that tells of something begins with. */
export const EVENTS = `
local p = KEYS[1]
local function prune(newest, now)
  local oldest = tonumber(redis.call('GET', p..'oldest') or '1')
  local last = math.min(oldest + ${PRUNED_AT_ONCE} - 1, newest - ${LEAST})
  local gone = newest - ${MOST}
  if last >= oldest and last > gone then
    local entry = redis.call('XRANGE', p..'events', last..'-0', last..'-0')[1]
    if entry and tonumber(entry[2][4]) <= now - ${YOUNG_MS} then gone = last end
  end
  if gone < oldest then return end
  redis.call('XTRIM', p..'events', 'MINID', (gone + 1)..'-0')
  redis.call('SET', p..'oldest', gone + 1)
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', p..'streams', '-inf', gone, 'LIMIT', 0, ${PRUNED_AT_ONCE})) do
    redis.call('DEL', p..'events:'..name)
    redis.call('ZREM', p..'streams', name)
  end
end
-- All events of one change of a job; answers the sequence of the last one, or nil where there are none.
local function tell(id, tenant, events, now)
  local count = #events
  if count == 0 then return nil end
  local newest = redis.call('INCRBY', p..'sequence', count)
  local from = redis.call('GET', p..'oldest') or '0'
  local ofJob = {}
  for at, event in ipairs(events) do
    local sequence = newest - count + at
    local sid = sequence..'-0'
    local output = event.output or ''
    redis.call('XADD', p..'events', sid, 't', event.type, 'a', now, 'j', id, 'n', tenant, 'o', output)
    redis.call('XADD', p..'events:t:'..tenant, 'MINID', '~', from, sid, 't', event.type, 'a', now, 'j', id, 'o', output)
    ofJob[2 * at - 1] = sequence
    ofJob[2 * at] = cjson.encode({ sequence, event.type, now, tenant, output })
  end
  redis.call('ZADD', p..'events:j:'..id, unpack(ofJob))
  redis.call('ZADD', p..'streams', newest, 't:'..tenant, newest, 'j:'..id)
  -- At one sequence in so many. Of the job, for one that tells a lot.
  if newest % 16 < count then redis.call('ZREMRANGEBYSCORE', p..'events:j:'..id, '-inf', '('..from) end
  if newest % ${PRUNE_EVERY} < count then prune(newest, now) end
  return newest
end
`;

/** Events of a stream behind a sequence, unless some of them are forgotten. ARGV: stream, after, until, limit. */
export const PAST = `
local p = KEYS[1]
local newest = tonumber(redis.call('GET', p..'sequence') or '0')
local oldest = tonumber(redis.call('GET', p..'oldest') or '1')
local after = tonumber(ARGV[2])
if after < newest and oldest > after + 1 then return false end
if string.sub(ARGV[1], 1, 9) == 'events:j:' then
  return redis.call('ZRANGEBYSCORE', p..ARGV[1], '('..ARGV[2], ARGV[3], 'LIMIT', 0, ARGV[4])
end
return redis.call('XRANGE', p..ARGV[1], (after + 1)..'-0', ARGV[3]..'-0', 'COUNT', ARGV[4])
`;

export const NEWS = `
local p = KEYS[1]
local newest = tonumber(redis.call('GET', p..'sequence') or '0')
local oldest = tonumber(redis.call('GET', p..'oldest') or '1')
local last = tonumber(redis.call('HGET', p..'job:'..ARGV[1], 'last') or '0')
local after = tonumber(ARGV[2])
return (after > newest or last > after or (after < newest and oldest > after + 1)) and 1 or 0
`;

/** The next event's sequence is above ARGV[1]; those up to it are as forgotten. */
export const SKIP = `
local p = KEYS[1]
local to = tonumber(ARGV[1])
if to <= tonumber(redis.call('GET', p..'sequence') or '0') then return 0 end
redis.call('SET', p..'sequence', ARGV[1])
-- What is kept from before counts as forgotten, so that there is no hole.
redis.call('SET', p..'oldest', string.format('%d', to + 1))
return 1
`;
