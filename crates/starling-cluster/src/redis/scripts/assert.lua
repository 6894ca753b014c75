-- Sets or takes back what this node says of users.
-- KEYS: prefix of leases, prefix of presences, users of this incarnation
-- ARGV: node, incarnation, slow TTL in s, then for each user: id, word ('' takes it back)
-- Replies {0} without a lease, else
-- {1, {how many words counted and no longer do, those words ..., words that still count ...} for each user}.
local node, incarnation, slow = ARGV[1], ARGV[2], ARGV[3]
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
