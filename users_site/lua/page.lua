-- A page of users, newest first. All ids have score 0, so the index is in order of id, which is the order of creation.
-- KEYS  1 index   2 prefix of the records' keys (same slot)
-- ARGV  1 where to start: "" (the newest), or "(" (beyond) or "[" (at), and an id   2 "older" | "newer"   3 limit
-- Answers {count, older there are (0|1), newer there are (0|1), first id, last id, documents joined by commas}
local from, limit = ARGV[1], tonumber(ARGV[3])
local ids
if ARGV[2] == 'newer' then
    local ascending = redis.call('ZRANGE', KEYS[1], from, '+', 'BYLEX', 'LIMIT', 0, limit)
    ids = {}
    for i = #ascending, 1, -1 do
        ids[#ids + 1] = ascending[i]
    end
else
    if from == '' then
        from = '+'
    end
    ids = redis.call('ZRANGE', KEYS[1], from, '-', 'BYLEX', 'REV', 'LIMIT', 0, limit)
end
local count = redis.call('ZCARD', KEYS[1])
if #ids == 0 then
    return {count, 0, 0, '', '', ''}
end
local first, last = ids[1], ids[#ids]
local older = #redis.call('ZRANGE', KEYS[1], '(' .. last, '-', 'BYLEX', 'REV', 'LIMIT', 0, 1)
local newer = 0
if ARGV[1] ~= '' then
    newer = #redis.call('ZRANGE', KEYS[1], '(' .. first, '+', 'BYLEX', 'LIMIT', 0, 1)
end
for i, id in ipairs(ids) do
    ids[i] = KEYS[2] .. id
end
local documents = {}
for _, document in ipairs(redis.call('MGET', unpack(ids))) do
    if document then
        documents[#documents + 1] = document
    end
end
return {count, older, newer, first, last, table.concat(documents, ',')}
