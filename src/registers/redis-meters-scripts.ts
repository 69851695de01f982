// What happens to meters in Redis, as Lua scripts: each is one step that nobody sees half done.

/**
 * Keys below the base that each script is given as KEYS[1]: `bucket:{name}` hash of missing tokens and the time of that;
 * `gate:{name}` holders by the end of their lease; `account:{name}` hash of what was spent and until when it counts;
 * `reserved:{account}` hash of holder to `{until}:{amount}`; `once:{name}` until when it counts. Everything goes by itself a minute after it has run out.
 * Fractions are answered as text: a number would lose them.
 */
const COMMON = `
local base = KEYS[1]
local function key(kind, name) return base .. ':' .. kind .. ':' .. name end
local function text(number) return string.format('%.17g', number) end
-- Milliseconds. The minute covers clocks that are set.
local function keep(name, ms) redis.call('PEXPIRE', name, math.ceil(math.max(ms, 0)) + 60000) end
local function spent(name, now)
  local row = redis.call('HMGET', key('account', name), 'spent', 'until')
  if row[1] and tonumber(row[2]) > now then return tonumber(row[1]) end
  return 0
end
local function spend(name, amount, lasts, now)
  local sum = spent(name, now) + amount
  redis.call('HSET', key('account', name), 'spent', text(sum), 'until', lasts)
  keep(key('account', name), tonumber(lasts) - now)
  return sum
end
local function reserve(name, holder, amount, lease, now)
  local all = key('reserved', name)
  redis.call('HSET', all, holder, text(now + lease) .. ':' .. amount)
  -- Never shorter than the longest of its leases.
  if redis.call('PTTL', all) < lease + 60000 then keep(all, lease) end
end
`;

/** All take the base as their only key. */
export const METER_SCRIPTS = {
  /** bucket, per minute, burst, cost, now → 1 if it was taken, and how many tokens are missing. */
  take: `${COMMON}
local bucket, burst, cost, now = key('bucket', ARGV[1]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local token_ms = 60000 / tonumber(ARGV[2])
local row = redis.call('HMGET', bucket, 'missing', 'at')
local missing, at = tonumber(row[1] or 0), tonumber(row[2] or 0)
-- The bucket may have been larger before.
local before = math.min(math.max(0, missing - math.max(0, now - at) / token_ms), burst)
-- Of a token: what is lost in the rounding of fractions.
local allowed = before + cost <= burst + 1e-6
missing = before
if allowed then missing = before + cost end
-- A refusal too, if the clock went back: else nothing would come back until it is as late again.
if allowed or at > now then
  redis.call('HSET', bucket, 'missing', text(missing), 'at', text(now))
  keep(bucket, missing * token_ms)
end
return { allowed and 1 or 0, text(missing) }`,

  /** gate, places, holder, lease, now → 1 if there was a place. */
  enter: `${COMMON}
local gate, holder, lease, now = key('gate', ARGV[1]), ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
redis.call('ZREMRANGEBYSCORE', gate, '-inf', ARGV[5])
local others = redis.call('ZCARD', gate)
if redis.call('ZSCORE', gate, holder) then others = others - 1 end
if others >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', gate, text(now + lease), holder)
local last = redis.call('ZRANGE', gate, -1, -1, 'WITHSCORES')
keep(gate, tonumber(last[2]) - now)
return 1`,

  /** gate, holder, lease, now. A place whose lease has run out may be somebody else's by now. */
  renew: `${COMMON}
local gate, holder, lease, now = key('gate', ARGV[1]), ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local ends = redis.call('ZSCORE', gate, holder)
if not ends or tonumber(ends) <= now then return 0 end
redis.call('ZADD', gate, text(now + lease), holder)
local last = redis.call('ZRANGE', gate, -1, -1, 'WITHSCORES')
keep(gate, tonumber(last[2]) - now)
return 1`,

  /** gate, holder. */
  leave: `${COMMON} return redis.call('ZREM', key('gate', ARGV[1]), ARGV[2])`,

  /** account, amount, until, now, name or '', until → the sum. Under a name only once until then. */
  spend: `${COMMON}
local now = tonumber(ARGV[4])
if ARGV[5] ~= '' then
  local once = key('once', ARGV[5])
  local before = redis.call('GET', once)
  if before and tonumber(before) > now then return text(spent(ARGV[1], now)) end
  redis.call('SET', once, ARGV[6])
  keep(once, tonumber(ARGV[6]) - now)
end
return text(spend(ARGV[1], tonumber(ARGV[2]), ARGV[3], now))`,

  /** account, now → the sum. */
  spent: `${COMMON} return text(spent(ARGV[1], tonumber(ARGV[2])))`,

  /** account, amount, most, holder, lease, now → 1 if it was set aside. */
  reserve: `${COMMON}
local name, holder, now = ARGV[1], ARGV[4], tonumber(ARGV[6])
local sum = spent(name, now) + tonumber(ARGV[2])
local all = redis.call('HGETALL', key('reserved', name))
for index = 1, #all, 2 do
  local colon = string.find(all[index + 1], ':', 1, true)
  if tonumber(string.sub(all[index + 1], 1, colon - 1)) <= now then
    redis.call('HDEL', key('reserved', name), all[index])
  elseif all[index] ~= holder then
    sum = sum + tonumber(string.sub(all[index + 1], colon + 1))
  end
end
if sum > tonumber(ARGV[3]) then return 0 end
reserve(name, holder, ARGV[2], tonumber(ARGV[5]), now)
return 1`,

  /** account, amount, until, holder, left, lease, now → the sum. */
  settle: `${COMMON}
local name, holder, now = ARGV[1], ARGV[4], tonumber(ARGV[7])
if tonumber(ARGV[5]) > 0 then reserve(name, holder, ARGV[5], tonumber(ARGV[6]), now)
else redis.call('HDEL', key('reserved', name), holder) end
return text(spend(name, tonumber(ARGV[2]), ARGV[3], now))`,
} as const;
