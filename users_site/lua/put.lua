-- Stores a user and deletes those in conflict: another document with its id, another user with its email.
-- KEYS  1 index   2 record   3 claim   4 claim of the email that the id has now   5 record of the user who holds the email now
--       6 epoch of the layout
-- ARGV  1 id   2 document   3 SHA-1 of the document that the id has now, "" if none   4 id that holds the email now, "" if none
--       5 SHA-1 of the document of that holder, "" if none
-- Without a conflict, KEYS 4 is KEYS 3 and KEYS 5 is KEYS 2.
-- Answers "put" | "changed"
if (redis.call('GET', KEYS[6]) or '1') ~= '1' then
    return redis.error_reply('EPOCH the store has another layout')
end
local function sha1(key)
    local document = redis.call('GET', key)
    return document and redis.sha1hex(document) or ''
end
if (redis.call('GET', KEYS[3]) or '') ~= ARGV[4] or sha1(KEYS[2]) ~= ARGV[3] or sha1(KEYS[5]) ~= ARGV[5] then
    return 'changed'
end
local is_old_holder = KEYS[4] ~= KEYS[3] and redis.call('GET', KEYS[4]) == ARGV[1]
-- First the one write that can fail, on a key of another type.
redis.call('ZADD', KEYS[1], 0, ARGV[1])
if KEYS[5] ~= KEYS[2] then
    redis.call('DEL', KEYS[5])
    redis.call('ZREM', KEYS[1], ARGV[4])
end
if is_old_holder then
    redis.call('DEL', KEYS[4])
end
redis.call('SET', KEYS[3], ARGV[1])
redis.call('SET', KEYS[2], ARGV[2])
return 'put'
