-- Ends the check of a suspect: deletes its claim if that is stale, unless it became a suspect again meanwhile.
-- KEYS  1 epoch   2 claim   3 suspects
-- ARGV  1 epoch   2 identity of the email   3 its score   4 the stale claim, "" to keep what is there
-- Answers "swept" | "changed"
if redis.call('ZSCORE', KEYS[3], ARGV[2]) ~= ARGV[3] then
    return 'changed'
end
redis.call('ZREM', KEYS[3], ARGV[2])
if redis.call('GET', KEYS[2]) == ARGV[4] then
    redis.call('DEL', KEYS[2])
end
return 'swept'
