-- Ends an abandoned intent: its writer cannot commit any more.
-- KEYS  1 epoch   2 intent
-- ARGV  1 epoch   2 token
-- Answers "aborted" | "changed"
if redis.call('GET', KEYS[2]) ~= ARGV[2] then
    return 'changed'
end
redis.call('DEL', KEYS[2])
return 'aborted'
