import asyncio

from packages.redis_pipe import Durability, DurableWrites, NotDurable, Reason, Script, Unavailable

SCRIPT = Script("set", "return redis.call('SET', KEYS[1], ARGV[1])")


async def test_close_ends_the_writes_behind_a_round_and_opens_no_connection(connect, hostile):
    async def no_wait(words, writer):
        if words[0] != b"WAIT":
            writer.write(b"+OK\r\n")

    server = await hostile(no_wait)
    durable = DurableWrites(connect(server), Durability.REPLICATED, lambda outcome: True)
    writes = []
    for value in "ab":  # the second one waits for the round of the first
        writes.append(asyncio.create_task(durable.run(SCRIPT, ["k"], [value])))
        await asyncio.sleep(0.05)
    await durable.close()
    first, second = await asyncio.gather(*writes, return_exceptions=True)
    assert isinstance(first, NotDurable)
    assert isinstance(second, Unavailable)
    assert (second.reason, second.uncertain) == (Reason.CLOSED, False)
    await asyncio.sleep(0.2)
    assert server.open == 0
