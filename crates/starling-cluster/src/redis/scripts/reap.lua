-- Cleans up where what was handed over has ended, and after dead incarnations; a batch of users at a time, as the one
-- elected node.
-- KEYS: reaper, incarnations, prefix of leases, prefix of presences, prefix of users of an incarnation, users handed over
-- ARGV: who asks, election in ms, batch
-- Replies {0} when another node is elected, {2, ms until more has ended, or -1} when nothing is left to do, else
-- {1, {user, how many words are void, void words ..., words that count ...} ...}: there may be more.
local me, election, batch = ARGV[1], ARGV[2], tonumber(ARGV[3])
local elected = redis.call('GET', KEYS[1])
if elected and elected ~= me then
  return {0}
end
redis.call('SET', KEYS[1], me, 'PX', election)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local leases = {}
local function lease_of(node)
  local lease = leases[node]
  if lease == nil then
    lease = redis.call('GET', KEYS[3] .. node) or ''
    leases[node] = lease
  end
  return lease
end
-- Takes users out of a set, and what is void out of their hashes.
local function clean(set, users)
  local reply = {1}
  for _, user in ipairs(users) do
    local key = KEYS[4] .. user
    local void, count, next_end = {}, {}, nil
    local words = redis.call('HGETALL', key)
    for f = 1, #words, 2 do
      local of, word = words[f], words[f + 1]
      local ends = tonumber(string.match(word, '^~(%d+) '))
      local lease = ends and '' or lease_of(of)
      if ends and ends > now then
        count[#count + 1] = word
        next_end = math.min(next_end or ends, ends)
      elseif lease ~= '' and string.sub(word, 1, #lease + 1) == lease .. ' ' then
        count[#count + 1] = word
      else
        void[#void + 1] = word
        redis.call('HDEL', key, of)
      end
    end
    if next_end and set == KEYS[6] then
      redis.call('ZADD', set, string.format('%.0f', next_end), user)
    else
      redis.call('ZREM', set, user)
    end
    if #void > 0 then
      local change = {user, #void}
      for _, word in ipairs(void) do change[#change + 1] = word end
      for _, word in ipairs(count) do change[#change + 1] = word end
      reply[#reply + 1] = change
    end
  end
  return reply
end
local ended = redis.call('ZRANGEBYSCORE', KEYS[6], '-inf', now, 'LIMIT', 0, batch)
if #ended > 0 then
  return clean(KEYS[6], ended)
end
for _, incarnation in ipairs(redis.call('SMEMBERS', KEYS[2])) do
  local node, number = string.match(incarnation, '^(.*) (%d+)$')
  if lease_of(node) ~= number then
    local users = redis.call('ZRANGE', KEYS[5] .. incarnation, 0, batch - 1)
    if #users > 0 then
      return clean(KEYS[5] .. incarnation, users)
    end
    redis.call('SREM', KEYS[2], incarnation)
  end
end
local first = redis.call('ZRANGE', KEYS[6], 0, 0, 'WITHSCORES')[2]
return {2, first and first - now or -1}
