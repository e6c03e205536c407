-- Change of email to another partition, step 2, in the new email's partition: claims it, pending, and as a suspect.
-- KEYS  1 epoch   2 claim   3 suspects
-- ARGV  1 epoch   2 pending claim: "<id> <token>"   3 a claim that was found to be stale: it is free ("" if none)
--       4 identity of the email   5 when to check it (ms)
-- Answers {"claimed"} | {"judge", the claim there}
local holder = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[3] then
    return {'judge', holder}
end
redis.call('ZADD', KEYS[3], ARGV[5], ARGV[4])
redis.call('SET', KEYS[2], ARGV[2])
return {'claimed'}
