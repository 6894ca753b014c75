-- Takes back sessions, if they are still this node's: one of the same name may have come to another.
-- KEYS: prefix of sessions
-- ARGV: node, then for each session: user, session
-- Replies 1.
local node = ARGV[1] .. ' '
for i = 2, #ARGV, 2 do
  local owner = redis.call('HGET', KEYS[1] .. ARGV[i], ARGV[i + 1])
  if owner and string.sub(owner, 1, #node) == node then
    redis.call('HDEL', KEYS[1] .. ARGV[i], ARGV[i + 1])
  end
end
return 1
