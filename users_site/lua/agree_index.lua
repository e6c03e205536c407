-- Whether an index entry still has no record. To repair, deletes the entry.
-- KEYS  1 epoch   2 index   3 record
-- ARGV  1 epoch   2 id   3 "repair" | "look"
-- Answers "changed" | "stale"
if redis.call('EXISTS', KEYS[3]) == 1 or not redis.call('ZSCORE', KEYS[2], ARGV[2]) then
    return 'changed'
end
if ARGV[3] == 'repair' then
    redis.call('ZREM', KEYS[2], ARGV[2])
end
return 'stale'
