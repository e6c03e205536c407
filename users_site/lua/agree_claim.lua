-- Whether a claim still is stale: it names a user who does not exist or has another email. If asked to, deletes it.
-- KEYS  1 claim   2 record of the user that it names
-- ARGV  1 id that the claim names   2 SHA-1 of that user's document as read, "" if there was none   3 "repair" | "look"
-- Answers "changed" | "stale"
local document = redis.call('GET', KEYS[2])
if redis.call('GET', KEYS[1]) ~= ARGV[1] or (document and redis.sha1hex(document) or '') ~= ARGV[2] then
    return 'changed'
end
if ARGV[3] == 'repair' then
    redis.call('DEL', KEYS[1])
end
return 'stale'
