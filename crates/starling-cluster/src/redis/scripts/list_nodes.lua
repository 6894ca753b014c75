-- The cards that are still good.
-- KEYS: cards by node, nodes by when their card ends
-- Replies {1, card of each}.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local reply = {1}
for _, node in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. now, '+inf')) do
  local card = redis.call('HGET', KEYS[1], node)
  if card then
    reply[#reply + 1] = card
  end
end
return reply
