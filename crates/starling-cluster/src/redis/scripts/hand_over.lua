-- Gives what this node says of users an end of its own, whatever becomes of the lease.
-- KEYS: lease, prefix of presences, users of this incarnation, users handed over
-- ARGV: node, incarnation, how long the set outlives its last user in ms, then for each user: id, ms until the end
-- A word that was handed over begins with '~', the end in ms and a space.
-- Replies 1, or 0 without a lease: what was said under it is void already.
local node, incarnation = ARGV[1], ARGV[2]
if redis.call('GET', KEYS[1]) ~= incarnation then
  return 0
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local longest = 0
for i = 4, #ARGV, 2 do
  local user, left = ARGV[i], tonumber(ARGV[i + 1])
  local key = KEYS[2] .. user
  local word = redis.call('HGET', key, node)
  if word and string.sub(word, 1, #incarnation + 1) == incarnation .. ' ' then
    local ends = string.format('%.0f', now + left)
    redis.call('HSET', key, node, '~' .. ends .. string.sub(word, #incarnation + 1))
    redis.call('ZREM', KEYS[3], user)
    -- Another node may have handed the user over, too: the first end counts, and the next is found then.
    local first = redis.call('ZSCORE', KEYS[4], user)
    if not first or tonumber(first) > now + left then
      redis.call('ZADD', KEYS[4], ends, user)
    end
    longest = math.max(longest, left)
  end
end
-- Where every node is gone nobody is left to be told.
local keep = longest + ARGV[3]
if redis.call('PTTL', KEYS[4]) < keep then
  redis.call('PEXPIRE', KEYS[4], string.format('%.0f', keep))
end
return 1
