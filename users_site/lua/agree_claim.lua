-- Whether a claim is still stale: it names a user that does not exist or has another email. To repair, deletes it, and
-- gives the user the claim of its email, if that is free.
-- KEYS  1 claim   2 record of the user that it names   3 claim of that user's email (KEYS 1 if there is no such user)
-- ARGV  1 id that the claim names   2 SHA-1 of that user's document as read, "" if there was none   3 "repair" | "look"
-- Answers "changed" | "stale"
local document = redis.call('GET', KEYS[2])
if redis.call('GET', KEYS[1]) ~= ARGV[1] or (document and redis.sha1hex(document) or '') ~= ARGV[2] then
    return 'changed'
end
if ARGV[3] == 'repair' then
    if KEYS[3] ~= KEYS[1] then
        redis.call('SET', KEYS[3], ARGV[1], 'NX')
    end
    redis.call('DEL', KEYS[1])
end
return 'stale'
