-- Writes sessions of this node again, whatever the limit: they exist.
-- KEYS: prefix of sessions, lease
-- ARGV: node, incarnation, slow TTL in s, then for each session: user, session
-- Replies 1, or 0 without a lease.
if redis.call('GET', KEYS[2]) ~= ARGV[2] then
  return 0
end
local owner = ARGV[1] .. ' ' .. ARGV[2]
for i = 4, #ARGV, 2 do
  local key = KEYS[1] .. ARGV[i]
  local present = redis.call('HGET', key, ARGV[i + 1])
  -- One of the same name may have come to another node.
  if not present or string.sub(present, 1, #ARGV[1] + 1) == ARGV[1] .. ' ' then
    redis.call('HSET', key, ARGV[i + 1], owner)
    redis.call('EXPIRE', key, ARGV[3])
  end
end
return 1
