-- Whether index and claim agree with a record; to repair, creates them.
-- KEYS  1 record   2 index   3 claim of the record's email
-- ARGV  1 id   2 SHA-1 of the document that was read   3 "repair" | "look"
-- Answers {"changed"} | {"same", holder of the claim ("" if none), score in the index ("" if none)}, as found
local document = redis.call('GET', KEYS[1])
if not document or redis.sha1hex(document) ~= ARGV[2] then
    return {'changed'}
end
local holder, score = redis.call('GET', KEYS[3]) or '', redis.call('ZSCORE', KEYS[2], ARGV[1]) or ''
if ARGV[3] == 'repair' then
    if holder == '' then
        redis.call('SET', KEYS[3], ARGV[1])
    end
    if score ~= '0' then
        redis.call('ZADD', KEYS[2], 0, ARGV[1])
    end
end
return {'same', holder, score}
