-- Stores a user and deletes those in conflict: another document with its id, another user with its email.
-- KEYS  1 epoch   2 index   3 record   4 claim   5 claim of the email that the id has now   6 record of the user who holds the email now
-- ARGV  1 epoch   2 id   3 document   4 SHA-1 of the document that the id has now, "" if none   5 id that holds the email now, "" if none
--       6 SHA-1 of the document of that holder, "" if none
-- Without a conflict, KEYS 5 is KEYS 4 and KEYS 6 is KEYS 3.
-- Answers "put" | "changed"
local function sha1(key)
    local document = redis.call('GET', key)
    return document and redis.sha1hex(document) or ''
end
if (redis.call('GET', KEYS[4]) or '') ~= ARGV[5] or sha1(KEYS[3]) ~= ARGV[4] or sha1(KEYS[6]) ~= ARGV[6] then
    return 'changed'
end
local is_old_holder = KEYS[5] ~= KEYS[4] and redis.call('GET', KEYS[5]) == ARGV[2]
-- First the one write that can fail, on a key of another type.
redis.call('ZADD', KEYS[2], 0, ARGV[2])
if KEYS[6] ~= KEYS[3] then
    redis.call('DEL', KEYS[6])
    redis.call('ZREM', KEYS[2], ARGV[5])
end
if is_old_holder then
    redis.call('DEL', KEYS[5])
end
redis.call('SET', KEYS[4], ARGV[2])
redis.call('SET', KEYS[3], ARGV[3])
return 'put'
