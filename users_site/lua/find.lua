-- The user who holds an email, or nothing.
-- KEYS  1 email claim   2 prefix of the records' keys (same slot)
local id = redis.call('GET', KEYS[1])
return id and redis.call('GET', KEYS[2] .. id)
