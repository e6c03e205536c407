-- Whether a claim is still stale: it names a user that does not exist or has another email. To repair, deletes it, and
-- gives the user the claim of its email, if that is free.
-- KEYS  1 epoch   2 claim   3 record of the user that it names   4 claim of that user's email (KEYS 2 if there is no such user)
-- ARGV  1 epoch   2 id that the claim names   3 SHA-1 of that user's document as read, "" if there was none   4 "repair" | "look"
-- Answers "changed" | "stale"
local document = redis.call('GET', KEYS[3])
if redis.call('GET', KEYS[2]) ~= ARGV[2] or (document and redis.sha1hex(document) or '') ~= ARGV[3] then
    return 'changed'
end
if ARGV[4] == 'repair' then
    if KEYS[4] ~= KEYS[2] then
        redis.call('SET', KEYS[4], ARGV[2], 'NX')
    end
    redis.call('DEL', KEYS[2])
end
return 'stale'
