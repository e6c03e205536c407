-- Deletes a user: record, index entry and email claim in one step, if the document is still the one that was read.
-- KEYS  1 epoch   2 record   3 index   4 email claim (of an email of another partition: a key that does not exist)
--       5 intent (exists only over several partitions)
-- ARGV  1 epoch   2 SHA-1 of the document that was read   3 id
-- Answers "deleted" | "changed" (perhaps deleted)
local document = redis.call('GET', KEYS[2])
if not document or redis.sha1hex(document) ~= ARGV[2] then
    return 'changed'
end
-- Reads and ZREM first: they fail on keys of another type, and then nothing was written.
local is_holder = redis.call('GET', KEYS[4]) == ARGV[3]
redis.call('ZREM', KEYS[3], ARGV[3])
redis.call('DEL', KEYS[2])
if is_holder then
    redis.call('DEL', KEYS[4])
end
redis.call('DEL', KEYS[5])
return 'deleted'
