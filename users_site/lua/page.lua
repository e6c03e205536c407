-- A page of users, newest first. All ids have score 0, so the index is in order of id, which is the order of creation.
-- KEYS  1 index   2 prefix of the records' keys (same slot)
-- ARGV  1 where to start: "" (the newest), or "(" (beyond) or "[" (at), and an id   2 "older" | "newer"   3 limit
-- Answers {count, older there are (0|1), newer there are (0|1), first id, last id, documents joined by commas}
local from, limit = ARGV[1], tonumber(ARGV[3])
local function range(start, is_newer, most)
    if is_newer then
        return redis.call('ZRANGE', KEYS[1], start, '+', 'BYLEX', 'LIMIT', 0, most)
    end
    return redis.call('ZRANGE', KEYS[1], start, '-', 'BYLEX', 'REV', 'LIMIT', 0, most)
end

-- One more than the page tells whether there is another: in a large index each way down to a place costs some 20 cache misses.
local is_newer = ARGV[2] == 'newer'
local found = range(from == '' and '+' or from, is_newer, limit + 1)
local count = redis.call('ZCARD', KEYS[1])
local ahead = #found > limit and 1 or 0
found[limit + 1] = nil
if #found == 0 then
    return {count, 0, 0, '', '', ''}
end
-- Back where the client came from: the place it started beyond, if that user is still there.
local behind = 0
if from ~= '' then
    local is_there = from:sub(1, 1) == '(' and redis.call('ZSCORE', KEYS[1], from:sub(2))
    behind = is_there and 1 or #range('(' .. found[1], not is_newer, 1)
end

local keys, size = {}, #found
for i, id in ipairs(found) do
    keys[is_newer and size + 1 - i or i] = KEYS[2] .. id
end
local documents = {}
for _, document in ipairs(redis.call('MGET', unpack(keys))) do
    if document then
        documents[#documents + 1] = document
    end
end
local joined = table.concat(documents, ',')
if is_newer then
    return {count, behind, ahead, found[size], found[1], joined}
end
return {count, ahead, behind, found[1], found[size], joined}
