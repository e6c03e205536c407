-- An Idempotency-Key whose user was created in another partition, or not: step 3.
-- KEYS  1 epoch   2 entry
-- ARGV  1 epoch   2 entry as reserved   3 entry as answered
-- Answers "finished"; another request that did it before came to the same answer
if redis.call('GET', KEYS[2]) == ARGV[2] then
    redis.call('SET', KEYS[2], ARGV[3], 'KEEPTTL')
end
return 'finished'
