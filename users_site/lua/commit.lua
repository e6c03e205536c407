-- Change of email to another partition, step 3, in the user's partition: the commit point. Deletes the intent in any case.
-- KEYS  1 epoch   2 record   3 intent   4 claim of the old email (of another partition: a key that does not exist)
-- ARGV  1 epoch   2 token   3 SHA-1 of the document that the change was made from   4 new document   5 id
-- Answers "committed" | "aborted" | "gone" | "changed"
if redis.call('GET', KEYS[3]) ~= ARGV[2] then
    return 'aborted'
end
local document, holder = redis.call('GET', KEYS[2]), redis.call('GET', KEYS[4])
redis.call('DEL', KEYS[3])
if not document then
    return 'gone'
end
if redis.sha1hex(document) ~= ARGV[3] then
    return 'changed'
end
if holder == ARGV[5] then
    redis.call('DEL', KEYS[4])
end
redis.call('SET', KEYS[2], ARGV[4])
return 'committed'
