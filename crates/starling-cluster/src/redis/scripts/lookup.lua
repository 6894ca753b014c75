-- What the live nodes say of users.
-- KEYS: prefix of leases, prefix of presences
-- ARGV: users
-- Replies {1, {words ...} for each user}.
local leases = {}
local reply = {1}
for _, user in ipairs(ARGV) do
  local said = {}
  local words = redis.call('HGETALL', KEYS[2] .. user)
  for f = 1, #words, 2 do
    local node, word = words[f], words[f + 1]
    local lease = leases[node]
    if lease == nil then
      lease = redis.call('GET', KEYS[1] .. node) or ''
      leases[node] = lease
    end
    if lease ~= '' and string.sub(word, 1, #lease + 1) == lease .. ' ' then
      said[#said + 1] = word
    end
  end
  reply[#reply + 1] = said
end
return reply
