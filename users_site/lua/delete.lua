-- Deletes a user: record, index entry and email claim at once, if the document still is the one that was read.
-- KEYS  1 record   2 index   3 email claim   4 epoch of the layout
-- ARGV  1 SHA-1 of the document that was read   2 id
-- Answers "deleted" | "gone" | "changed"
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
-- Reads and ZREM first: they fail on keys of another type, and then nothing was written.
local is_holder = redis.call('GET', KEYS[3]) == ARGV[2]
redis.call('ZREM', KEYS[2], ARGV[2])
redis.call('DEL', KEYS[1])
if is_holder then
    redis.call('DEL', KEYS[3])
end
return 'deleted'
