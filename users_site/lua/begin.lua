-- Change of email to another partition, step 1, in the user's partition: reads the user, and writes the intent.
-- KEYS  1 epoch   2 record   3 intent
-- ARGV  1 epoch   2 token   3 token of an abandoned intent, which this one replaces ("" if none)
--       4 lifetime of the intent in seconds: its end aborts the change safely, because nobody can commit without it
-- Answers {"begun", document} | {"gone"} | {"busy", token of the intent there}
local document = redis.call('GET', KEYS[2])
if not document then
    return {'gone'}
end
local other = redis.call('GET', KEYS[3])
if other and other ~= ARGV[3] then
    return {'busy', other}
end
redis.call('SET', KEYS[3], ARGV[2], 'EX', ARGV[4])
return {'begun', document}
