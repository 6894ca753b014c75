-- Takes from every budget, or from none (generic cell rate algorithm). A key holds the time, in microseconds, when its
-- budget is full again.
-- KEYS: budgets
-- ARGV: for each budget: microseconds for one, how many at once
-- Replies 0 when taken, else the microseconds until it can be.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local full, wait = {}, 0
for i, key in ipairs(KEYS) do
  local one, burst = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local at = full[key] or tonumber(redis.call('GET', key) or 0)
  -- Not before now, and not later than an empty budget is full: after a failover the clock may be another one.
  at = math.min(math.max(at, now), now + one * burst) + one
  wait = math.max(wait, at - one * burst - now)
  full[key] = at
end
if wait > 0 then
  return math.ceil(wait)
end
for key, at in pairs(full) do
  redis.call('SET', key, string.format('%.0f', at), 'PX', math.ceil((at - now) / 1000))
end
return 0
