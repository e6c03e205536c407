-- Change of email to another partition, step 4, in the new email's partition: makes the pending claim firm, or deletes it.
-- KEYS  1 epoch   2 claim
-- ARGV  1 epoch   2 the claim as it was written   3 the firm claim, "" to delete it
-- Answers "settled" | "changed"
local claim = redis.call('GET', KEYS[2])
if claim and claim ~= ARGV[2] then
    return 'changed'
end
if ARGV[3] == '' then
    redis.call('DEL', KEYS[2])
else
    -- Also if a failover has lost the pending claim: the change is made, so the email must be claimed.
    redis.call('SET', KEYS[2], ARGV[3])
end
return 'settled'
