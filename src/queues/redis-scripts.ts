// The scripts of the ledger in Redis (Lua): each is all or nothing, and nobody sees the half of one. They decide nothing:
// what becomes of a job says jobs/job.ts, and a script writes it if the job is still as it was read.
//
// KEYS[1] is always the prefix, `{…}:`, whose braces keep all keys of a fleet in one slot of a Redis Cluster.
//   job:{id}             hash: doc (JSON), rev, status, lane, tenant, at (created), key, hop, due, last (sequence of its
//                        newest event), cancel; while it runs: token, owner
//   jobs, jobs:s:{status}, jobs:t:{tenant}, jobs:ts:{status}:{tenant}    sorted sets of ids, all of score 0: by id
//   waiting:{lane}, running:{lane}   ids by when they were created     owner:{owner}   ids that it runs
//   expiry, endings                  ids by time                       key:{key}       id
//   owed                             {id}-{hop} by time: tickets of BullMQ that are to be added
//   sequence, oldest                 of the newest event, and of the oldest that is kept
//   events, events:t:{tenant}        streams, their ids are `{sequence}-0`
//   events:j:{id}                    the same of a job as a sorted set: a stream takes 4 kB, however short
//   streams                          names of the last two, by their newest sequence

import { EVENTS, NEWS, PAST, SKIP } from './redis-event-scripts.ts';

const BEGIN = `${EVENTS}
local function unlist(id, tenant, status)
  redis.call('ZREM', p..'jobs:s:'..status, id)
  redis.call('ZREM', p..'jobs:ts:'..status..':'..tenant, id)
end
local function list(id, tenant, status)
  redis.call('ZADD', p..'jobs:s:'..status, 0, id)
  redis.call('ZADD', p..'jobs:ts:'..status..':'..tenant, 0, id)
end
`;

/**
 * What a job is, as one JSON value `c`: id, tenant, lane, status, rev, at, now, cancel; where it applies key, max, token,
 * owner, expires, ended, due, events, ticket. ARGV[2] is its document.
 */
const ADD = `${BEGIN}
local c = cjson.decode(ARGV[1])
local job = p..'job:'..c.id
local known = c.key and redis.call('GET', p..'key:'..c.key)
local doc = known and redis.call('HGET', p..'job:'..known, 'doc') or redis.call('HGET', job, 'doc')
if doc then return {'known', doc} end
if c.max and redis.call('ZCARD', p..'jobs:s:queued') >= c.max then return {'full'} end
local last = tell(c.id, c.tenant, c.events, c.now) or 0
redis.call('HSET', job, 'doc', ARGV[2], 'rev', c.rev, 'status', c.status, 'lane', c.lane, 'tenant', c.tenant,
  'at', c.at, 'key', c.key or '', 'hop', 1, 'due', 0, 'last', last, 'cancel', c.cancel)
if c.key then redis.call('SET', p..'key:'..c.key, c.id) end
redis.call('ZADD', p..'jobs', 0, c.id)
redis.call('ZADD', p..'jobs:t:'..c.tenant, 0, c.id)
list(c.id, c.tenant, c.status)
if c.status == 'queued' then redis.call('ZADD', p..'waiting:'..c.lane, c.at, c.id) end
if c.ticket then redis.call('ZADD', p..'owed', c.now, c.id..'-1') end
if c.expires then redis.call('ZADD', p..'expiry', c.expires, c.id) end
if c.ended then redis.call('ZADD', p..'endings', c.ended, c.id) end
return {'added', 1}
`;

const COMMIT = `${BEGIN}
local c = cjson.decode(ARGV[1])
local job = p..'job:'..c.id
local was = redis.call('HMGET', job, 'rev', 'token', 'status', 'lane', 'owner', 'hop', 'doc')
if not was[1] then return {'gone'} end
if c.token and was[2] ~= c.token then return {'lost', was[7]} end
if c.lock and redis.call('GET', p..c.lock) ~= c.claim then return {'unlocked', was[7]} end
if tonumber(was[1]) ~= c.from then return {'changed', was[7]} end
local set = { 'doc', ARGV[2], 'rev', c.rev, 'cancel', c.cancel }
local function also(...)
  for _, value in ipairs({ ... }) do set[#set + 1] = value end
end
local hop = tonumber(was[6])
if c.status ~= was[3] then
  unlist(c.id, c.tenant, was[3])
  list(c.id, c.tenant, c.status)
  if was[3] == 'queued' then redis.call('ZREM', p..'waiting:'..was[4], c.id) end
  if was[3] == 'running' then
    redis.call('ZREM', p..'running:'..was[4], c.id)
    redis.call('SREM', p..'owner:'..was[5], c.id)
    redis.call('HDEL', job, 'token', 'owner')
  end
  also('status', c.status, 'lane', c.lane, 'due', c.due)
  if c.status == 'queued' then redis.call('ZADD', p..'waiting:'..c.lane, c.at, c.id) end
  if c.status == 'running' then
    redis.call('ZADD', p..'running:'..c.lane, c.at, c.id)
    redis.call('SADD', p..'owner:'..c.owner, c.id)
    also('token', c.claim, 'owner', c.owner)
  end
  if c.expires then redis.call('ZADD', p..'expiry', c.expires, c.id) end
  if c.ended then redis.call('ZADD', p..'endings', c.ended, c.id) end
  if c.ended or c.ticket then redis.call('ZREM', p..'owed', c.id..'-'..hop) end
end
if c.ticket then
  hop = hop + 1
  also('hop', hop)
  redis.call('ZADD', p..'owed', c.now, c.id..'-'..hop)
end
local last = tell(c.id, c.tenant, c.events, c.now)
if last then also('last', last) end
redis.call('HSET', job, unpack(set))
return {'done', hop}
`;

/** Forgets a job, whatever its state. Answers how it was, and whether somebody still holds the lock of its ticket. */
const REMOVE = `${BEGIN}
local id, now = ARGV[1], tonumber(ARGV[2])
local job = p..'job:'..id
local was = redis.call('HMGET', job, 'doc', 'status', 'lane', 'tenant', 'owner', 'hop', 'key')
if not was[1] then return false end
local status, lane, tenant = was[2], was[3], was[4]
redis.call('DEL', job)
redis.call('ZREM', p..'jobs', id)
redis.call('ZREM', p..'jobs:t:'..tenant, id)
unlist(id, tenant, status)
redis.call('ZREM', p..'waiting:'..lane, id)
redis.call('ZREM', p..'running:'..lane, id)
redis.call('ZREM', p..'expiry', id)
redis.call('ZREM', p..'endings', id)
redis.call('ZREM', p..'owed', id..'-'..was[6])
if was[5] then redis.call('SREM', p..'owner:'..was[5], id) end
if was[7] ~= '' and redis.call('GET', p..'key:'..was[7]) == id then redis.call('DEL', p..'key:'..was[7]) end
tell(id, tenant, { { type = 'removed' } }, now)
return {was[1], was[6], redis.call('EXISTS', p..'bull:'..lane..':'..id..'-'..was[6]..':lock')}
`;

/** A job, if it is newer than the revision that is known. */
const GET = `
local was = redis.call('HMGET', KEYS[1]..'job:'..ARGV[1], 'rev', 'doc')
if not was[1] then return false end
if was[1] == ARGV[2] then return 1 end
return was[2]
`;

const MADE = `
local id = redis.call('GET', KEYS[1]..'key:'..ARGV[1])
return id and redis.call('HGET', KEYS[1]..'job:'..id, 'doc')
`;

/** Documents by a range of a sorted set: ARGV is its name, what ZRANGE takes. */
const RANGE = `
local found = {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[1]..ARGV[1], unpack(ARGV, 2))) do
  local doc = redis.call('HGET', KEYS[1]..'job:'..id, 'doc')
  if doc then found[#found + 1] = doc end
end
return found
`;

const DUMP = `
local p = KEYS[1]
local found = {}
for _, id in ipairs(redis.call('ZRANGE', p..'jobs', ARGV[1], '+', 'BYLEX', 'LIMIT', 0, ARGV[2])) do
  local was = redis.call('HMGET', p..'job:'..id, 'doc', 'key')
  found[#found + 1] = was[1]
  found[#found + 1] = was[2]
  found[#found + 1] = redis.call('ZSCORE', p..'endings', id) and 1 or 0
end
return found
`;

/** ARGV: statuses, each with a tenant behind it, or an empty string. */
const COUNTS = `
local found = {}
for i = 1, #ARGV, 2 do
  local tenant = ARGV[i + 1]
  found[#found + 1] = redis.call('ZCARD', KEYS[1]..(tenant == '' and 'jobs:s:'..ARGV[i] or 'jobs:ts:'..ARGV[i]..':'..tenant))
end
return found
`;

const LANES = `
local found = {}
for _, lane in ipairs(ARGV) do
  local first = redis.call('ZRANGE', KEYS[1]..'waiting:'..lane, 0, 0, 'WITHSCORES')
  found[#found + 1] = { redis.call('ZCARD', KEYS[1]..'waiting:'..lane), redis.call('ZCARD', KEYS[1]..'running:'..lane), first[2] }
end
return found
`;

/** How a job stands for whoever has a ticket of it. */
const TICKET = `
local was = redis.call('HMGET', KEYS[1]..'job:'..ARGV[1], 'doc', 'hop', 'due', 'token')
if not was[1] then return false end
return was
`;

/** Those of a dead owner: document and token of each. */
const HELD = `
local found = {}
for _, id in ipairs(redis.call('SMEMBERS', KEYS[1]..'owner:'..ARGV[1])) do
  local was = redis.call('HMGET', KEYS[1]..'job:'..id, 'doc', 'token')
  if was[1] and was[2] then found[#found + 1] = was end
end
return found
`;

/**
 * Renews the locks of tickets that run here: ARGV is the milliseconds of a lease, then id, token, lane, ticket of each. A
 * lock that ran out while nobody could renew it is taken again, as long as no other has the job: BullMQ's own renewal
 * would give it up (extendLocks-1.lua), and with it hours of work. Answers how each stands.
 */
const RENEW = `
local p = KEYS[1]
local found = {}
for i = 2, #ARGV, 4 do
  local id, token, lane, ticket = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local was = redis.call('HMGET', p..'job:'..id, 'token', 'cancel')
  local standing = was[1] ~= token and 'lost' or was[2] == '1' and 'cancelled' or 'held'
  if standing ~= 'lost' and ARGV[1] ~= '0' then
    local queue = p..'bull:'..lane..':'
    local lock = redis.call('GET', queue..ticket..':lock')
    if not lock and redis.call('EXISTS', queue..ticket) == 1 then
      -- Found stalled, and not yet taken by anybody.
      local moved = redis.call('LREM', queue..'wait', 1, ticket) + redis.call('ZREM', queue..'prioritized', ticket)
      if moved > 0 then redis.call('LPUSH', queue..'active', ticket) end
      lock = token
    end
    if lock == token then
      redis.call('SET', queue..ticket..':lock', token, 'PX', ARGV[1])
      redis.call('SREM', queue..'stalled', ticket)
    end
  end
  found[#found + 1] = standing
end
return found
`;

/**
 * Jobs whose tickets are owed since before ARGV[1], at most ARGV[2]: document and number of the ticket. From now, ARGV[3], on
 * they are this process's to add, and others find the next ones. Notes of others go. Answers how many were looked at, first.
 */
const OWED = `
local p = KEYS[1]
local tickets = redis.call('ZRANGEBYSCORE', p..'owed', '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
local found = { #tickets }
for _, ticket in ipairs(tickets) do
  local id, hop = string.match(ticket, '^(.*)%-(%d+)$')
  local was = redis.call('HMGET', p..'job:'..id, 'doc', 'hop', 'status')
  if was[2] == hop and (was[3] == 'queued' or was[3] == 'running') then
    redis.call('ZADD', p..'owed', ARGV[3], ticket)
    found[#found + 1] = { was[1], hop }
  else redis.call('ZREM', p..'owed', ticket) end
end
return found
`;

export const LEDGER_SCRIPTS = {
  add: ADD,
  commit: COMMIT,
  remove: REMOVE,
  get: GET,
  made: MADE,
  range: RANGE,
  dump: DUMP,
  counts: COUNTS,
  lanes: LANES,
  ticket: TICKET,
  held: HELD,
  renew: RENEW,
  past: PAST,
  news: NEWS,
  skip: SKIP,
  owed: OWED,
} as const;
