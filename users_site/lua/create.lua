-- Creates a user: record, index entry and email claim at once, and the entry of an Idempotency-Key.
-- KEYS  1 record   2 index   3 email claim   4 epoch of the layout   5 idempotency entry (only with a key)
-- ARGV  1 id   2 document   3 fingerprint of the request (only with a key)   4 lifetime of the entry in seconds
--       5 any value: a replay writes the entry's expiry again, unchanged, so that a wait for this script's durability
--         includes the first one's
-- Answers {"created"} | {"taken"} | {"replayed", document} | {"replayed-taken"} | {"reused"}
if (redis.call('GET', KEYS[4]) or '1') ~= '1' then
    return redis.error_reply('EPOCH the store has another layout')
end
local entry = KEYS[5] and redis.call('GET', KEYS[5])
if entry then
    if string.sub(entry, 1, #ARGV[3]) ~= ARGV[3] then
        return {'reused'}
    end
    if ARGV[5] then
        redis.call('PEXPIREAT', KEYS[5], redis.call('PEXPIRETIME', KEYS[5]))
    end
    local first = string.sub(entry, #ARGV[3] + 1)
    if first == '' then
        return {'replayed-taken'}
    end
    return {'replayed', first}
end
if redis.call('EXISTS', KEYS[3]) == 1 then
    if KEYS[5] then
        redis.call('SET', KEYS[5], ARGV[3], 'EX', ARGV[4])
    end
    return {'taken'}
end
-- First the one write that can fail, on a key of another type: then nothing was written.
redis.call('ZADD', KEYS[2], 0, ARGV[1])
redis.call('SET', KEYS[3], ARGV[1])
redis.call('SET', KEYS[1], ARGV[2])
if KEYS[5] then
    redis.call('SET', KEYS[5], ARGV[3] .. ARGV[2], 'EX', ARGV[4])
end
return {'created'}
