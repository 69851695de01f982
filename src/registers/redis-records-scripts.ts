// What happens to records in Redis, as Lua scripts: each is one step that nobody sees half done.

/**
 * Keys below the base that each script is given as KEYS[1]:
 * `record:{kind}:{id}` hash of version, group, due, expires, document; `ids:{kind}` and `group:{kind}:{group}`, ids in
 * the order of their bytes; `due:{kind}` by time; `expiry`, `{kind}:{id}` by time; `kinds`; `gone`, the highest version of
 * all that is gone: a record begins above it, so no version of an id is ever given twice. Times are in milliseconds since
 * 1970, an empty one is none.
 */
const COMMON = `
local base = KEYS[1]
local function key(...) return table.concat({base, ...}, ':') end
local function read(kind, id)
  local row = redis.call('HMGET', key('record', kind, id), 'version', 'group', 'due', 'expires', 'document')
  return { version = tonumber(row[1]), group = row[2], due = row[3], expires = row[4], document = row[5] }
end
local function lives(row, now)
  return row.version and (row.expires == '' or tonumber(row.expires) > now)
end
local function gone() return tonumber(redis.call('GET', key('gone')) or 0) end
local function unplace(kind, id, row)
  redis.call('ZREM', key('group', kind, row.group), id)
  redis.call('ZREM', key('due', kind), id)
  redis.call('ZREM', key('expiry'), kind .. ':' .. id)
end
local function write(kind, id, version, group, due, expires, document)
  redis.call('HSET', key('record', kind, id), 'version', version, 'group', group, 'due', due, 'expires', expires,
    'document', document)
  redis.call('ZADD', key('kinds'), 0, kind)
  redis.call('ZADD', key('ids', kind), 0, id)
  redis.call('ZADD', key('group', kind, group), 0, id)
  if due ~= '' then redis.call('ZADD', key('due', kind), due, id) end
  if expires ~= '' then redis.call('ZADD', key('expiry'), expires, kind .. ':' .. id) end
end
local function forget(kind, id, row)
  redis.call('DEL', key('record', kind, id))
  redis.call('ZREM', key('ids', kind), id)
  unplace(kind, id, row)
  if row.version > gone() then redis.call('SET', key('gone'), row.version) end
end
`;

/** All take the base as their only key. */
export const RECORD_SCRIPTS = {
  /** kind, id, version that was read (0: none), now, group, due, expires, document → 1 if it was written. */
  put: `${COMMON}
local kind, id, read_version, now = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local old = read(kind, id)
if read_version == 0 then
  if lives(old, now) then return 0 end
elseif old.version ~= read_version or not lives(old, now) then
  return 0
end
if old.version then unplace(kind, id, old) end
write(kind, id, (old.version or gone()) + 1, ARGV[5], ARGV[6], ARGV[7], ARGV[8])
return 1`,

  /** kind, id, version (empty: any), now → 1 if it was removed. */
  remove: `${COMMON}
local kind, id = ARGV[1], ARGV[2]
local row = read(kind, id)
if not lives(row, tonumber(ARGV[4])) or (ARGV[3] ~= '' and row.version ~= tonumber(ARGV[3])) then return 0 end
forget(kind, id, row)
return 1`,

  /** until, limit → how many were removed. */
  prune: `${COMMON}
local members = redis.call('ZRANGE', key('expiry'), '-inf', ARGV[1], 'BYSCORE', 'LIMIT', 0, ARGV[2])
for _, member in ipairs(members) do
  local colon = string.find(member, ':', 1, true)
  local kind, id = string.sub(member, 1, colon - 1), string.sub(member, colon + 1)
  forget(kind, id, read(kind, id))
end
return #members`,

  /**
   * order (up, down), index (a name below the base), kind, first (as of ZRANGE BYLEX), limit, now → the living in this
   * order, and where to go on if these were not all that were asked for (else empty).
   */
  page: `${COMMON}
local down, index, kind, from = ARGV[1] == 'down', key(ARGV[2]), ARGV[3], ARGV[4]
local limit, now = tonumber(ARGV[5]), tonumber(ARGV[6])
local rows, looked = {}, 0
while #rows < limit and looked < 1000 do
  local ids
  if down then ids = redis.call('ZRANGE', index, from, '-', 'BYLEX', 'REV', 'LIMIT', 0, limit)
  else ids = redis.call('ZRANGE', index, from, '+', 'BYLEX', 'LIMIT', 0, limit) end
  for _, id in ipairs(ids) do
    local row = read(kind, id)
    if lives(row, now) and #rows < limit then
      rows[#rows + 1] = { id, row.version, row.document, row.group, row.due, row.expires }
    end
  end
  if #ids < limit then return { rows, '' } end
  from, looked = '(' .. ids[#ids], looked + #ids
end
return { rows, from }`,

  /**
   * kind, until, limit, now, how many to pass over → the living that are due, the longest overdue first, and how many were
   * passed if these were not all that were asked for (else -1).
   */
  due: `${COMMON}
local kind, limit, now, passed = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local rows = {}
local most = math.max(limit, 500)
local ids = redis.call('ZRANGE', key('due', kind), '-inf', ARGV[2], 'BYSCORE', 'LIMIT', passed, most)
for _, id in ipairs(ids) do
  local row = read(kind, id)
  if lives(row, now) then rows[#rows + 1] = { id, row.version, row.document } end
  if #rows == limit then break end
end
if #ids < most then return { rows, -1 } end
return { rows, passed + #ids }`,

  /** kind, id, version, group, due, expires, document → 1 if it was taken over. */
  restore: `${COMMON}
local kind, id, version = ARGV[1], ARGV[2], tonumber(ARGV[3])
if read(kind, id).version then return 0 end
-- A version of what is gone may be one that this id had here.
write(kind, id, math.max(version, gone() + 1), ARGV[4], ARGV[5], ARGV[6], ARGV[7])
return 1`,
} as const;
