import asyncio

import pytest

from packages.redis_pipe.tests.hostile import always
from packages.redis_pipe.tests.waiting import ping


async def test_replies_come_back_to_their_own_callers(connect, server):
    connection = connect(server)
    for number in range(50):
        connection.execute("set", "SET", f"key-{number}", number)
    replies = await asyncio.gather(*(connection.execute("get", "GET", f"key-{n}") for n in range(50)))
    assert replies == [str(number).encode() for number in range(50)]


async def test_commands_of_one_tick_leave_in_one_write(connect, hostile):
    store = await hostile(always(b"+OK\r\n"))
    connection = connect(store)
    await ping(connection)
    await asyncio.gather(*(connection.execute("get", "GET", "k") for _ in range(20)))
    assert store.reads == [1, 20]


async def test_words_may_be_text_bytes_and_numbers(connect, server):
    assert await connect(server).execute("echo", b"ECHO", "ü") == "ü".encode()
    assert await connect(server).execute("echo", "ECHO", b"\x00\r\n\xff") == b"\x00\r\n\xff"
    assert await connect(server).execute("echo", "ECHO", -7) == b"-7"


async def test_null_numbers_and_nested_arrays(connect, server):
    connection = connect(server)
    assert await connection.execute("get", "GET", "absent") is None
    assert await connection.execute("strlen", "STRLEN", "absent") == 0
    nested = "return {1, {'a', {false, 'b'}}, {}, redis.error_reply('MINE inside')}"
    *reply, error = await connection.execute("eval", "EVAL", nested, 0)
    assert reply == [1, [b"a", [None, b"b"]], []]
    assert isinstance(error, Exception), "is not taken for the reply"


async def test_ten_megabytes_there_and_back(connect, server):
    connection = connect(server)
    large = bytes(range(256)) * 40_000
    results = asyncio.gather(
        connection.execute("set", "SET", "large", large),
        connection.execute("get", "GET", "large"),
        connection.execute("echo", "ECHO", "behind"),
    )
    assert list(await results) == [b"OK", large, b"behind"]


async def test_a_reply_in_single_bytes(connect, hostile):
    async def drip(words, writer):
        for byte in b"*3\r\n$5\r\nhello\r\n:42\r\n$-1\r\n":
            writer.write(bytes([byte]))
            await asyncio.sleep(0)

    connection = connect(await hostile(drip))
    assert await asyncio.gather(*(connection.execute("get", "X") for _ in range(3))) == [[b"hello", 42, None]] * 3


@pytest.mark.parametrize("status", ["ok", "error"])
async def test_each_command_is_observed_once(connect, server, status):
    seen = []
    connection = connect(server, observe=lambda *values: seen.append(values))
    await asyncio.gather(
        connection.execute("find", "GET" if status == "ok" else "NONSENSE", "k"), return_exceptions=True
    )
    [((operation, observed), seconds)] = seen
    assert (operation, observed) == ("find", status)
    assert 0 < seconds < 5


# ---- callers that give up


async def test_a_cancelled_caller_leaves_the_stream_in_order(connect, server):
    connection = connect(server)
    await ping(connection)
    server.freeze()
    commands = [asyncio.ensure_future(connection.execute("echo", "ECHO", str(i))) for i in range(10)]
    await asyncio.sleep(0.05)
    for command in commands[::2]:
        command.cancel()
    server.thaw()
    replies = await asyncio.gather(*commands, return_exceptions=True)
    assert replies[1::2] == [str(i).encode() for i in range(1, 10, 2)]
    assert all(isinstance(reply, asyncio.CancelledError) for reply in replies[::2])
    assert await connection.execute("echo", "ECHO", "next") == b"next"


async def test_what_was_given_up_before_it_left_is_not_sent(connect, hostile):
    store = await hostile(always(b"+OK\r\n"))
    connection = connect(store)
    await ping(connection)
    connection.execute("set", "SET", "k", "given-up").cancel()
    await connection.execute("set", "SET", "k", "wanted")
    assert [words[-1] for words in store.commands] == [b"PING", b"wanted"]


async def test_a_given_up_command_is_observed_once(connect, server):
    seen = []
    connection = connect(server, observe=lambda labels, _: seen.append(labels))
    await ping(connection)
    server.freeze()
    command = connection.execute("get", "GET", "k")
    await asyncio.sleep(0.05)
    command.cancel()
    server.thaw()
    await ping(connection)
    assert seen == [("ping", "ok"), ("get", "ok"), ("ping", "ok")]
