-- Sets how many of this incarnation's users follow rooms.
-- KEYS: lease, rooms of this incarnation
-- ARGV: incarnation, then for each room: id, count
-- Replies 1, or 0 without a lease.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
for i = 2, #ARGV, 2 do
  if ARGV[i + 1] == '0' then
    redis.call('HDEL', KEYS[2], ARGV[i])
  else
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
  end
end
-- It ends with the lease: nobody need clean it up.
redis.call('PEXPIRE', KEYS[2], redis.call('PTTL', KEYS[1]))
return 1
