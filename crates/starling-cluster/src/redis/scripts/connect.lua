-- Counts a session of a user, unless they have all that they may have.
-- KEYS: sessions of the user, prefix of session leases
-- ARGV: session, node, incarnation, limit, slow TTL in s
-- Replies 1 when counted, 0 when not, -1 without a lease.
local owner = ARGV[2] .. ' ' .. ARGV[3]
local limit = tonumber(ARGV[4])
if redis.call('GET', KEYS[2] .. ARGV[2]) ~= ARGV[3] then
  return -1
end
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 and redis.call('HLEN', KEYS[1]) >= limit then
  -- Full, it seems: sessions of dead nodes may be among them.
  local leases = {}
  local sessions = redis.call('HGETALL', KEYS[1])
  for f = 1, #sessions, 2 do
    local node, number = string.match(sessions[f + 1], '^(.*) (%d+)$')
    local lease = leases[node]
    if lease == nil then
      lease = redis.call('GET', KEYS[2] .. node) or ''
      leases[node] = lease
    end
    if lease ~= number then
      redis.call('HDEL', KEYS[1], sessions[f])
    end
  end
  if redis.call('HLEN', KEYS[1]) >= limit then
    return 0
  end
end
redis.call('HSET', KEYS[1], ARGV[1], owner)
redis.call('EXPIRE', KEYS[1], ARGV[5])
return 1
