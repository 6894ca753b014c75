-- For scripts that ask which words count: `counts(node, word)`, and the server's `time` and `now` in ms.
-- A word begins with the incarnation that said it and a space, and counts while that incarnation has its lease; or, when
-- it was handed over, with '~', the time in ms until which it counts, and a space.
-- KEYS: prefix of leases, then those of the script
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
