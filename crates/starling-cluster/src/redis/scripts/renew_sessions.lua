-- Renews a node's lease on its sessions, or begins another.
-- KEYS: lease
-- ARGV: incarnation, next incarnation, lease in ms
-- Replies 1 when the lease went on, 0 when the next incarnation has begun.
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  return 1
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 0
