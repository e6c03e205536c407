-- An Idempotency-Key whose user will be created in another partition: step 1.
-- KEYS  1 epoch   2 entry
-- ARGV  1 epoch   2 fingerprint   3 first answer, open (entries.py)   4 lifetime of the entry in seconds
-- Answers {"reserved"} | {"reused"} | {"found", answer}
local entry = redis.call('GET', KEYS[2])
if not entry then
    redis.call('SET', KEYS[2], ARGV[2] .. ARGV[3], 'EX', ARGV[4])
    return {'reserved'}
end
if string.sub(entry, 1, #ARGV[2]) ~= ARGV[2] then
    return {'reused'}
end
return {'found', string.sub(entry, #ARGV[2] + 1)}
