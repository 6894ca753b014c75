-- How many users follow rooms, over the live incarnations.
-- KEYS: incarnations, prefix of leases, prefix of rooms of an incarnation
-- ARGV: rooms
-- Replies {1, count for each room}.
local reply = {1}
for i = 1, #ARGV do
  reply[i + 1] = 0
end
for _, incarnation in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local node, number = string.match(incarnation, '^(.*) (%d+)$')
  if redis.call('GET', KEYS[2] .. node) == number then
    for i, count in ipairs(redis.call('HMGET', KEYS[3] .. incarnation, unpack(ARGV))) do
      if count then
        reply[i + 1] = reply[i + 1] + tonumber(count)
      end
    end
  end
end
return reply
