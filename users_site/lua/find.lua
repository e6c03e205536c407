-- The user with an email, in one round trip. Read-only (EVALSHA_RO), so that a pause of writes does not delay it.
-- KEYS  1 epoch   2 email claim   3 prefix of the records' keys: the id of the record is in the claim, in the same slot
-- ARGV  1 epoch
-- Answers {claim, document}, each empty if there is none
local id = redis.call('GET', KEYS[2])
return {id, id and redis.call('GET', KEYS[3] .. id)}
