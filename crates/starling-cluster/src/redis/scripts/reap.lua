-- Cleans up after dead incarnations, a batch of users at a time, as the one elected node.
-- KEYS: reaper, incarnations, prefix of leases, prefix of presences, prefix of users of an incarnation
-- ARGV: who asks, election in ms, batch
-- Replies {0} when another node is elected, {2} when nothing is left to do, else
-- {1, {user, how many words are void, void words ..., words that count ...} ...}: there may be more.
local me, election, batch = ARGV[1], ARGV[2], tonumber(ARGV[3])
local elected = redis.call('GET', KEYS[1])
if elected and elected ~= me then
  return {0}
end
redis.call('SET', KEYS[1], me, 'PX', election)
local leases = {}
local function lease_of(node)
  local lease = leases[node]
  if lease == nil then
    lease = redis.call('GET', KEYS[3] .. node) or ''
    leases[node] = lease
  end
  return lease
end
for _, incarnation in ipairs(redis.call('SMEMBERS', KEYS[2])) do
  local node, number = string.match(incarnation, '^(.*) (%d+)$')
  if lease_of(node) ~= number then
    local users = redis.call('ZRANGE', KEYS[5] .. incarnation, 0, batch - 1)
    if #users == 0 then
      redis.call('SREM', KEYS[2], incarnation)
    else
      local reply = {1}
      for _, user in ipairs(users) do
        local key = KEYS[4] .. user
        local void, count = {}, {}
        local words = redis.call('HGETALL', key)
        for f = 1, #words, 2 do
          local lease = lease_of(words[f])
          if lease ~= '' and string.sub(words[f + 1], 1, #lease + 1) == lease .. ' ' then
            count[#count + 1] = words[f + 1]
          else
            void[#void + 1] = words[f + 1]
            redis.call('HDEL', key, words[f])
          end
        end
        redis.call('ZREM', KEYS[5] .. incarnation, user)
        if #void > 0 then
          local change = {user, #void}
          for _, word in ipairs(void) do change[#change + 1] = word end
          for _, word in ipairs(count) do change[#change + 1] = word end
          reply[#reply + 1] = change
        end
      end
      return reply
    end
  end
end
return {2}
