-- What the live nodes say of users, and what others have handed over.
-- KEYS: prefix of leases, prefix of presences
-- ARGV: users
-- Replies {1, {words ...} for each user}.
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
