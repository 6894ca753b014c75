-- Sets or takes back what this node says of users.
-- KEYS: prefix of leases, prefix of presences, users of this incarnation
-- ARGV: node, incarnation, slow TTL in s, then for each user: id, word ('' takes it back)
-- A word begins with the incarnation that said it and a space; it counts while that incarnation has its lease.
-- Replies {0} without a lease, else {1, {own word before, what others say ...} for each user}.
local node, incarnation, slow = ARGV[1], ARGV[2], ARGV[3]
local leases = {}
local function counts(of, word)
  local lease = leases[of]
  if lease == nil then
    lease = redis.call('GET', KEYS[1] .. of) or ''
    leases[of] = lease
  end
  return lease ~= '' and string.sub(word, 1, #lease + 1) == lease .. ' '
end
if not counts(node, incarnation .. ' ') then
  return {0}
end
local now = redis.call('TIME')[1]
local reply = {1}
for i = 4, #ARGV, 2 do
  local user, word = ARGV[i], ARGV[i + 1]
  local key = KEYS[2] .. user
  local said = {''}
  local words = redis.call('HGETALL', key)
  for f = 1, #words, 2 do
    if counts(words[f], words[f + 1]) then
      if words[f] == node then said[1] = words[f + 1] else said[#said + 1] = words[f + 1] end
    end
  end
  if word == '' then
    redis.call('HDEL', key, node)
    redis.call('ZREM', KEYS[3], user)
  else
    redis.call('HSET', key, node, word)
    redis.call('EXPIRE', key, slow)
    redis.call('ZADD', KEYS[3], now, user)
  end
  reply[#reply + 1] = said
end
return reply
