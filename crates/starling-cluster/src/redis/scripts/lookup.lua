-- What the live nodes say of users, and what others have handed over.
-- KEYS: prefix of leases, prefix of presences
-- ARGV: users
-- Replies {1, {words ...} for each user}.
local reply = {1}
for _, user in ipairs(ARGV) do
  local said = {}
  local words = redis.call('HGETALL', KEYS[2] .. user)
  for f = 1, #words, 2 do
    if counts(words[f], words[f + 1]) then
      said[#said + 1] = words[f + 1]
    end
  end
  reply[#reply + 1] = said
end
return reply
