-- Replaces a user's document if it still is the one that the change was made from, and moves the email claim.
-- KEYS  1 record   2 claim of the old email   3 claim of the new email (may be the same)   4 epoch of the layout
-- ARGV  1 SHA-1 of the document that the change was made from   2 new document   3 id
-- Answers "replaced" | "gone" | "changed" | "taken"
if (redis.call('GET', KEYS[4]) or '1') ~= '1' then
    return redis.error_reply('EPOCH the store has another layout')
end
local document = redis.call('GET', KEYS[1])
if not document then
    return 'gone'
end
if redis.sha1hex(document) ~= ARGV[1] then
    return 'changed'
end
local holder = redis.call('GET', KEYS[3])
if holder and holder ~= ARGV[3] then
    return 'taken'
end
local is_old_holder = KEYS[2] ~= KEYS[3] and redis.call('GET', KEYS[2]) == ARGV[3]
if not holder then
    redis.call('SET', KEYS[3], ARGV[3])
end
if is_old_holder then
    redis.call('DEL', KEYS[2])
end
redis.call('SET', KEYS[1], ARGV[2])
return 'replaced'
