import asyncio

from packages.redis_pipe.tests.hostile import always
from packages.redis_pipe.tests.waiting import ping


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
