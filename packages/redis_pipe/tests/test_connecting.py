import asyncio
import tempfile
import time
from pathlib import Path

import pytest

from packages.redis_pipe import Reason
from packages.redis_pipe._stream import Stream
from packages.redis_pipe.errors import ErrorReply
from packages.redis_pipe.tests.hostile import always
from packages.redis_pipe.tests.waiting import failures_of, fate_of, ping, reason_of, until_it_answers
from tools.processes.service import free_port
from tools.processes.valkey import valkey

pytestmark = pytest.mark.slow


async def test_nothing_connects_before_the_first_command(connect, hostile):
    store = await hostile(always(b"+OK\r\n"))
    connection = connect(store)
    await asyncio.sleep(0.05)
    assert (store.opened, connection.connected) == (0, False)
    await ping(connection)
    assert (store.opened, connection.connected) == (1, True)


async def test_the_first_users_share_one_connection(connect, hostile):
    store = await hostile(always(b"+OK\r\n"))
    connection = connect(store)
    await asyncio.gather(*(ping(connection) for _ in range(50)))
    assert store.opened == 1


async def test_a_refused_connection_fails_at_once(connect):
    connection = connect(f"redis://127.0.0.1:{free_port()}")
    started = time.monotonic()
    assert await reason_of(ping(connection)) is Reason.REFUSED
    for _ in range(200):
        assert await reason_of(ping(connection)) is Reason.REFUSED
    assert time.monotonic() - started < 4


async def test_an_unknown_host_is_unreachable(connect):
    assert await reason_of(ping(connect("redis://no-such-host.invalid"))) is Reason.UNREACHABLE


async def test_while_redis_is_silent_only_the_first_command_waits(connect, hostile):
    store = await hostile(always(b""), setup_reply=b"")
    connection = connect(store, connect_timeout=0.3)
    async with asyncio.timeout(5):  # they would wait 6 s
        await reason_of(ping(connection))
        for _ in range(20):
            assert await reason_of(ping(connection)) is Reason.TIMEOUT
            await asyncio.sleep(0.005)
    assert store.opened <= 4


async def test_a_server_that_hangs_up_makes_no_storm(connect, hostile):
    async def hang_up(words, writer):
        writer.close()

    store = await hostile(hang_up)
    connection = connect(store)
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        await failures_of(ping(connection))
        await asyncio.sleep(0.001)
    assert 3 <= store.opened <= 12


async def test_a_loading_server_is_reported_as_such(connect, hostile):
    store = await hostile(always(b""), setup_reply=b"-LOADING Redis is loading the dataset in memory\r\n")
    assert await reason_of(ping(connect(store))) is Reason.LOADING


async def test_it_reconnects_without_a_command_and_reports_each_change_of_state_once(connect, hostile):
    states: list[Reason | None] = []
    port = free_port()
    connection = connect(f"redis://127.0.0.1:{port}", on_state=states.append)
    for _ in range(5):
        assert await reason_of(ping(connection)) is Reason.REFUSED
        await asyncio.sleep(0.1)
    connection._link.failures = 1_000_000  # as after days
    await asyncio.sleep(0.3)
    store = await hostile(always(b"+PONG\r\n"), port=port)
    await asyncio.sleep(1.5)
    assert connection.connected, "nobody asked, and yet it is back"
    assert store.opened == 1
    await connection.close()
    assert states == [Reason.REFUSED, None]


async def test_a_killed_server_is_back_when_it_is_back(connect):
    with valkey("appendonly yes", "appendfsync always") as server:
        connection = connect(server)
        await connection.execute("set", "SET", "k", "v")
        server.kill()
        assert (await fate_of(ping(connection)))[0] in {Reason.CLOSED, Reason.REFUSED}
        await asyncio.to_thread(server.start)
        assert await until_it_answers(connection) < 2
        assert await connection.execute("get", "GET", "k") == b"v"


async def test_an_idle_loss_is_repaired_before_the_next_command(connect, server):
    connection = connect(server)
    await ping(connection)
    await asyncio.sleep(1.1)  # it has been stable
    server.command("CLIENT", "KILL", "TYPE", "NORMAL", "SKIPME", "YES")
    await asyncio.sleep(0.3)
    assert connection.connected
    await ping(connection)


async def test_what_was_written_is_not_sent_again(connect, hostile):
    async def swallow(words, writer):
        if words[0] == b"INCR":
            writer.close()
        else:
            writer.write(b"+OK\r\n")

    store = await hostile(swallow)
    connection = connect(store)
    assert await fate_of(connection.execute("incr", "INCR", "n")) == (Reason.CLOSED, True)
    await until_it_answers(connection)
    assert store.commands.count([b"INCR", b"n"]) == 1


async def test_close_fails_what_waits_and_may_be_followed_by_use(connect, server):
    connection = connect(server)
    await ping(connection)
    server.freeze()
    waiting = connection.execute("get", "GET", "k")
    await asyncio.sleep(0.05)
    await connection.close()
    server.thaw()
    assert await fate_of(waiting) == (Reason.CLOSED, True)
    await ping(connection)


async def test_close_while_connecting(connect, hostile):
    store = await hostile(always(b""), setup_reply=b"")
    connection = connect(store)
    waiting = connection.execute("get", "GET", "k")
    await asyncio.sleep(0.05)
    await connection.close()
    assert await reason_of(waiting) is Reason.CLOSED


async def test_a_unix_socket(connect):
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "redis.sock"
        assert await reason_of(ping(connect(f"unix://{path}"))) is Reason.REFUSED
        with valkey(f'unixsocket "{path}"', password="") as server:
            connection = connect(f"unix://{path}?db=3")
            await connection.execute("set", "SET", "k", "v")
            with server.client() as client:
                client.select(3)
                assert client.get("k") == b"v"


async def test_the_connection_has_a_name(connect, server):
    await ping(connect(server))
    assert "redis-pipe" in [client["name"] for client in server.client().client_list()]


async def test_an_acl_may_forbid_the_name(connect, hostile):
    store = await hostile(always(b"+PONG\r\n"), setup_reply=b"-NOPERM no permission for 'client|setname'\r\n")
    await ping(connect(store))


async def test_a_connection_lost_right_behind_its_set_up_is_a_failed_attempt(connect, hostile):
    store = await hostile(always(b"+PONG\r\n"), setup_reply=b"+OK\r\n+unasked\r\n")
    started = time.monotonic()
    assert await reason_of(ping(connect(store))) is Reason.CLOSED
    assert time.monotonic() - started < 4


async def test_an_error_before_the_first_command_is_its_reply(hostile):
    async def refuse(reader, writer):
        writer.write(b"-ERR max number of clients reached\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        _, stream = await asyncio.get_running_loop().create_connection(Stream, host, port)
        await asyncio.sleep(0.1)
        with pytest.raises(ErrorReply, match="max number of clients"):
            await stream.ask("PING")
