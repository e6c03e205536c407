-- An Idempotency-Key whose user was created in another partition, or not: step 3.
-- KEYS  1 epoch   2 entry
-- ARGV  1 epoch   2 entry as reserved   3 entry as answered   4 lifetime of an entry in seconds
-- Answers "finished"; another request that did it before came to the same answer
local entry = redis.call('GET', KEYS[2])
if not entry then
    redis.call('SET', KEYS[2], ARGV[3], 'EX', ARGV[4]) -- a failover has lost it
elseif entry == ARGV[2] then
    redis.call('SET', KEYS[2], ARGV[3], 'KEEPTTL')
end
return 'finished'
