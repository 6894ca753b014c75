-- Sets or takes back what this node says of users.
-- KEYS: prefix of leases, prefix of presences, users of this incarnation
-- ARGV: node, incarnation, slow TTL in s, then for each user: id, word ('' takes it back)
-- A word begins with the incarnation that said it and a space, and counts while that incarnation has its lease; or, when
-- it was handed over, with '~', the time in ms until which it counts, and a space.
-- Replies {0} without a lease, else
-- {1, {how many words counted and no longer do, those words ..., words that still count ...} for each user}.
local node, incarnation, slow = ARGV[1], ARGV[2], ARGV[3]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local leases = {}
local function counts(of, word)
  local ends = string.match(word, '^~(%d+) ')
  if ends then
    return tonumber(ends) > now
  end
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
local reply = {1}
for i = 4, #ARGV, 2 do
  local user, word = ARGV[i], ARGV[i + 1]
  local key = KEYS[2] .. user
  local ended, stay = {}, {}
  local words = redis.call('HGETALL', key)
  for f = 1, #words, 2 do
    local of, said = words[f], words[f + 1]
    -- The user is here: what a node that stopped has handed over is not needed any more. Taking back leaves it alone.
    local ends = of == node
    if string.sub(said, 1, 1) == '~' then
      ends = word ~= ''
    end
    if counts(of, said) then
      local list = ends and ended or stay
      list[#list + 1] = said
    end
    if ends and (word == '' or of ~= node) then
      redis.call('HDEL', key, of)
    end
  end
  if word == '' then
    redis.call('ZREM', KEYS[3], user)
  else
    redis.call('HSET', key, node, word)
    redis.call('EXPIRE', key, slow)
    redis.call('ZADD', KEYS[3], time[1], user)
  end
  local change = {#ended}
  for _, said in ipairs(ended) do change[#change + 1] = said end
  for _, said in ipairs(stay) do change[#change + 1] = said end
  reply[#reply + 1] = change
end
return reply
