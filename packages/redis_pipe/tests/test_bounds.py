import asyncio

from packages.redis_pipe import Reason
from packages.redis_pipe.tests.waiting import failures_of, ping, reason_of


async def test_beyond_max_waiting_a_command_is_refused_at_once(connect, server):
    connection = connect(server, max_waiting=10)
    await ping(connection)
    server.freeze()
    accepted = [connection.execute("get", "GET", "k") for _ in range(10)]
    await asyncio.sleep(0.05)
    refused = connection.execute("get", "GET", "k")
    assert refused.done()
    assert await reason_of(refused) is Reason.QUEUE_FULL
    server.thaw()
    assert await asyncio.gather(*accepted) == [None] * 10
    assert await connection.execute("get", "GET", "k") is None


async def test_what_waits_for_the_connection_counts(connect, server):
    connection = connect(server, max_waiting=2)
    accepted = asyncio.gather(*(connection.execute("get", "GET", "k") for _ in range(2)))
    assert await reason_of(connection.execute("get", "GET", "k")) is Reason.QUEUE_FULL
    assert await accepted == [None, None]


async def written_to_frozen(server, connection, megabytes):
    """Commands of a megabyte each, in ticks of their own."""
    await ping(connection)
    server.freeze()
    commands = []
    for number in range(megabytes):
        commands.append(connection.execute("set", "SET", f"k{number}", b"x" * 1_000_000))
        await asyncio.sleep(0)
    return commands


async def test_a_server_that_does_not_read_holds_back_the_writes(connect, server):
    connection = connect(server, timeout=1.5, connect_timeout=0.3)
    commands = await written_to_frozen(server, connection, 40)
    stream = connection._stream
    assert stream.paused
    assert stream._transport.get_write_buffer_size() < 3_000_000
    assert len(connection._waiting) > 20
    errors = await failures_of(*commands)
    assert {error.reason for error in errors} == {Reason.TIMEOUT}
    assert [error.uncertain for error in errors] == sorted((error.uncertain for error in errors), reverse=True)
    assert not errors[-1].uncertain, "what never left the queue was certainly not executed"
    server.thaw()


async def test_held_back_writes_continue_when_the_server_reads_again(connect, server):
    connection = connect(server)
    commands = await written_to_frozen(server, connection, 20)
    server.thaw()
    assert await asyncio.gather(*commands) == [b"OK"] * 20
