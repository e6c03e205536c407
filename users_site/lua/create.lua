-- Creates a user: record, index entry and email claim, and the entry of an Idempotency-Key, in one step.
-- KEYS  1 epoch   2 record   3 index   4 email claim   5 entry of the Idempotency-Key (only with a key)
-- ARGV  1 epoch   2 id   3 document   4 a claim that was found to be stale: it is free ("" if none)
--       5 a claim that was found to be held ("" if none), then only with a key:
--       6 fingerprint of the request   7 its first answer (entries.py)   8 lifetime of the entry in seconds
--       9 "again" if a replay writes the entry's expiry again, unchanged, so that a wait for this script's durability
--         includes the first one's
-- Answers {"created"} | {"taken"} | {"replayed", first answer} | {"reused"} | {"judge", claim of a user of another partition}
local entry = KEYS[5] and redis.call('GET', KEYS[5])
if entry then
    if string.sub(entry, 1, #ARGV[6]) ~= ARGV[6] then
        return {'reused'}
    end
    if ARGV[9] == 'again' then
        redis.call('PEXPIREAT', KEYS[5], redis.call('PEXPIRETIME', KEYS[5]))
    end
    return {'replayed', string.sub(entry, #ARGV[6] + 1)}
end
local holder = redis.call('GET', KEYS[4])
if holder and holder ~= ARGV[4] then
    if string.sub(holder, 37, 37) == ' ' and holder ~= ARGV[5] then
        return {'judge', holder}
    end
    if KEYS[5] then
        redis.call('SET', KEYS[5], ARGV[6] .. '-', 'EX', ARGV[8])
    end
    return {'taken'}
end
-- First the one write that can fail, on a key of another type: then nothing was written.
redis.call('ZADD', KEYS[3], 0, ARGV[2])
redis.call('SET', KEYS[4], ARGV[2])
redis.call('SET', KEYS[2], ARGV[3])
if KEYS[5] then
    redis.call('SET', KEYS[5], ARGV[6] .. ARGV[7], 'EX', ARGV[8])
end
return {'created'}
