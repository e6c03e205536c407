-- Whether an index entry still has no record. To repair, deletes the entry.
-- KEYS  1 index   2 record
-- ARGV  1 id   2 "repair" | "look"
-- Answers "changed" | "stale"
if redis.call('EXISTS', KEYS[2]) == 1 or not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
    return 'changed'
end
if ARGV[2] == 'repair' then
    redis.call('ZREM', KEYS[1], ARGV[1])
end
return 'stale'
