-- Whether index and claim agree with a record; to repair, creates them.
-- KEYS  1 epoch   2 record   3 index   4 claim of the record's email
-- ARGV  1 epoch   2 id   3 SHA-1 of the document that was read   4 "repair" | "look"
-- Answers {"changed"} | {"same", holder of the claim ("" if none), score in the index ("" if none)}, as found
local document = redis.call('GET', KEYS[2])
if not document or redis.sha1hex(document) ~= ARGV[3] then
    return {'changed'}
end
local holder, score = redis.call('GET', KEYS[4]) or '', redis.call('ZSCORE', KEYS[3], ARGV[2]) or ''
if ARGV[4] == 'repair' then
    if holder == '' then
        redis.call('SET', KEYS[4], ARGV[2])
    end
    if score ~= '0' then
        redis.call('ZADD', KEYS[3], 0, ARGV[2])
    end
end
return {'same', holder, score}
