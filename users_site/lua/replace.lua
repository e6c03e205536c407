-- Replaces a user's document if it is still the one on which the change is based, and moves the email claim.
-- KEYS  1 epoch   2 record   3 claim of the new email   4 claim of the old email (may be the same)
--       3 and 4 only if the new email belongs to this partition; 4 does not exist if the old one belongs to another
-- ARGV  1 epoch   2 SHA-1 of the document that the change was made from   3 new document   4 id
--       5 a claim that was found to be stale: it is free ("" if none)
-- Answers "replaced" | "changed" (perhaps deleted) | "taken" | {"judge", claim of a user of another partition}
local document = redis.call('GET', KEYS[2])
if not document or redis.sha1hex(document) ~= ARGV[2] then
    return 'changed'
end
if KEYS[3] then
    local holder = redis.call('GET', KEYS[3])
    if holder and holder ~= ARGV[4] and holder ~= ARGV[5] then
        return string.sub(holder, 37, 37) == ' ' and {'judge', holder} or 'taken'
    end
    local is_old_holder = KEYS[4] ~= KEYS[3] and redis.call('GET', KEYS[4]) == ARGV[4]
    if holder ~= ARGV[4] then
        redis.call('SET', KEYS[3], ARGV[4])
    end
    if is_old_holder then
        redis.call('DEL', KEYS[4])
    end
end
redis.call('SET', KEYS[2], ARGV[3])
return 'replaced'
