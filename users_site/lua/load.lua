-- Stores many users, each by the rules of create.lua. One read and two writes for all of them take half the time of single
-- ones. The only write that can fail (on a key of another type) comes first, so that nothing is half done.
-- KEYS  1 epoch   2 index, then for each user: record, email claim
-- ARGV  1 epoch   2 "all" (all users or, if one is in conflict, none) | "rest" (all but those in conflict), then for each
--       user: id, document
-- A record instead of the claim means: the email belongs to another partition, and is claimed there.
-- A user is in conflict when the email is claimed for another id, or another document has the id.
-- Answers {created, unchanged, {position of a user in conflict (from 1), id that holds the email ("" if none or the same), …}}
local created, unchanged, conflicts = 0, 0, {}
local entries, writes, taken = {}, {}, {}
local stored = redis.call('MGET', unpack(KEYS, 3))
for i = 3, #KEYS, 2 do
    local record, claim, id, document = KEYS[i], KEYS[i + 1], ARGV[i], ARGV[i + 1]
    local current, holder = taken[record] or stored[i - 2], taken[claim] or stored[i - 1]
    if claim == record then
        holder = current and id
    end
    if (holder and holder ~= id) or (current and current ~= document) then
        conflicts[#conflicts + 1] = (i - 1) / 2
        conflicts[#conflicts + 1] = holder and holder ~= id and holder or ''
    else
        taken[record], taken[claim] = document, id
        entries[#entries + 1] = 0
        entries[#entries + 1] = id
        if current and holder then
            unchanged = unchanged + 1
        else
            created = created + 1
            local n = #writes
            writes[n + 1], writes[n + 2], writes[n + 3], writes[n + 4] = claim, id, record, document
        end
    end
end
if #entries == 0 or (ARGV[2] == 'all' and #conflicts > 0) then
    return {0, 0, conflicts}
end
redis.call('ZADD', KEYS[2], unpack(entries))
if #writes > 0 then
    redis.call('MSET', unpack(writes))
end
return {created, unchanged, conflicts}
