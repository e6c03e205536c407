-- Change of email to another partition, step 4, where the new email belongs: makes the pending claim firm, or drops it.
-- KEYS  1 epoch   2 claim
-- ARGV  1 epoch   2 the claim as it was written   3 the firm claim, "" to drop it
-- Answers "settled" | "changed"
local claim = redis.call('GET', KEYS[2])
if claim and claim ~= ARGV[2] then
    return 'changed'
end
if ARGV[3] == '' then
    redis.call('DEL', KEYS[2])
else
    -- Also where a failover has lost the pending claim: the change is made, so the email must be claimed.
    redis.call('SET', KEYS[2], ARGV[3])
end
return 'settled'
