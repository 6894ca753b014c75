-- Renews a node's lease, or begins another where it had ended, was lost, or belongs to another incarnation.
-- KEYS: lease, incarnations, users of this incarnation, rooms of this incarnation, prefix of presences
-- ARGV: node, incarnation, next incarnation, lease in ms, slow TTL in s, batch
-- Replies 1 when the lease went on, 0 when the next incarnation has begun.
local node, incarnation, following = ARGV[1], ARGV[2], ARGV[3]
local lease, slow, batch = ARGV[4], tonumber(ARGV[5]), ARGV[6]
if redis.call('GET', KEYS[1]) ~= incarnation then
  redis.call('SET', KEYS[1], following, 'PX', lease)
  redis.call('SADD', KEYS[2], node .. ' ' .. following)
  return 0
end
redis.call('PEXPIRE', KEYS[1], lease)
redis.call('PEXPIRE', KEYS[4], lease)
redis.call('EXPIRE', KEYS[3], slow * 4)
-- A few of those whose TTL is a third over, so that it never ends for a user who stays.
local now = tonumber(redis.call('TIME')[1])
for _, user in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now - slow / 3, 'LIMIT', 0, batch)) do
  redis.call('EXPIRE', KEYS[5] .. user, slow)
  redis.call('ZADD', KEYS[3], now, user)
end
return 1
