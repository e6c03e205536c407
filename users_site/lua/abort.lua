-- Deletes an abandoned intent: its writer can no longer commit.
-- KEYS  1 epoch   2 intent
-- ARGV  1 epoch   2 token
-- Answers "aborted" | "changed"
if redis.call('GET', KEYS[2]) ~= ARGV[2] then
    return 'changed'
end
redis.call('DEL', KEYS[2])
return 'aborted'
