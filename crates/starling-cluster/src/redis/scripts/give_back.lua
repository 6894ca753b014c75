-- Gives back what was taken.
-- KEYS: budgets
-- ARGV: for each budget: microseconds for one
-- Replies 1.
for i, key in ipairs(KEYS) do
  local at = redis.call('GET', key)
  if at then
    redis.call('SET', key, string.format('%.0f', at - ARGV[i]), 'KEEPTTL')
  end
end
return 1
