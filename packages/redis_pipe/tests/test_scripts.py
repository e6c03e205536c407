import asyncio

import pytest

from packages.redis_pipe import Refused, Script
from packages.redis_pipe.tests.hostile import always

COUNT = Script("count", "return {redis.call('INCRBY', KEYS[1], ARGV[1]), ARGV[2]}")


def calls(server, command):
    return server.client().info("commandstats").get(f"cmdstat_{command}", {"calls": 0})["calls"]


async def test_an_unknown_script_is_sent_whole_once(connect, server):
    connection = connect(server)
    for total in (5, 10, 15):
        assert await connection.run(COUNT, ["n"], [5, b"x"]) == [total, b"x"]
    assert calls(server, "eval") == 1
    assert calls(server, "evalsha") == 3


async def test_after_script_flush_every_caller_still_gets_its_reply(connect, server):
    connection = connect(server)
    await connection.run(COUNT, ["n"], [1, b"x"])
    server.command("SCRIPT", "FLUSH")
    replies = await asyncio.gather(*(connection.run(COUNT, ["n"], [1, str(i)]) for i in range(20)))
    assert [tag for _, tag in replies] == [str(i).encode() for i in range(20)]
    assert sorted(total for total, _ in replies) == list(range(2, 22))


async def test_a_repeated_script_is_observed_once(connect, server):
    seen = []
    connection = connect(server, observe=lambda labels, _: seen.append(labels))
    await connection.run(COUNT, ["n"], [1, b"x"])
    assert seen == [("count", "ok")]


async def test_a_second_noscript_ends_the_command(connect, hostile):
    store = await hostile(always(b"-NOSCRIPT No matching script.\r\n"))
    with pytest.raises(Refused):
        await connect(store).run(COUNT, ["n"], [1, b"x"])
    assert [words[0] for words in store.commands] == [b"EVALSHA", b"EVAL"]


async def test_an_error_of_a_script_quotes_no_key(connect, server):
    connection = connect(server)
    with pytest.raises(Refused) as caught:
        await connection.run(COUNT, ["secret-key"], ["secret-value", b"x"])
    assert str(caught.value) == "Redis refused 'count' with ERR"
    assert caught.value.code == "ERR"
