import asyncio
import time

import pytest

from packages.redis_pipe import Reason
from packages.redis_pipe.tests.hostile import always
from packages.redis_pipe.tests.waiting import failures_of, fate_of, ping, until_it_answers

pytestmark = pytest.mark.slow


async def test_a_late_reply_is_dropped(connect, server):
    connection = connect(server)
    await ping(connection)
    server.freeze()
    late, later = (connection.execute("echo", "ECHO", "late", timeout=seconds) for seconds in (0.1, 0.3))
    patient = connection.execute("echo", "ECHO", "patient")
    assert await fate_of(late) == (Reason.TIMEOUT, True)
    async with asyncio.timeout(2):
        assert await fate_of(later) == (Reason.TIMEOUT, True)
    assert not patient.done()
    server.thaw()
    assert await patient == b"patient"
    assert await connection.execute("echo", "ECHO", "next") == b"next"


async def test_a_hung_server_loses_the_connection_and_all_that_was_sent(connect, server):
    seen = []
    connection = connect(server, timeout=0.3, connect_timeout=0.3, observe=lambda labels, _: seen.append(labels[1]))
    await ping(connection)
    server.freeze()
    started = time.monotonic()
    commands = [connection.execute("get", "GET", "k") for _ in range(3)]
    commands.append(connection.execute("get", "GET", "k", timeout=30))
    errors = await failures_of(*commands)
    assert [(error.reason, error.uncertain) for error in errors] == [(Reason.TIMEOUT, True)] * 4
    assert time.monotonic() - started < 2
    assert not connection.connected
    assert seen == ["ok"] + ["timeout"] * 4
    server.thaw()
    await until_it_answers(connection)


async def test_a_time_out_is_observed_once_though_the_connection_is_lost_later(connect, server):
    seen = []
    connection = connect(server, observe=lambda labels, _: seen.append(labels))
    await ping(connection)
    server.freeze()
    await failures_of(connection.execute("get", "GET", "k", timeout=0.1))
    await connection.close()
    server.thaw()
    assert seen == [("ping", "ok"), ("get", "timeout")]


async def test_a_server_that_answers_slowly_is_not_hung(connect, hostile):
    async def slowly(words, writer):
        await asyncio.sleep(0.1)
        writer.write(b"+%b\r\n" % words[1])

    store = await hostile(slowly)
    connection = connect(store, timeout=0.4)
    patient = asyncio.gather(*(connection.execute("echo", "ECHO", str(i), timeout=5) for i in range(10)))
    assert await fate_of(connection.execute("echo", "ECHO", "short")) == (Reason.TIMEOUT, True)
    assert await patient == [str(i).encode() for i in range(10)]
    assert store.opened == 1


async def test_a_command_that_may_take_longer_is_given_its_time(connect, server):
    connection = connect(server, timeout=0.2)
    long = connection.execute("blpop", "BLPOP", "nothing", "0.6", timeout=5)
    assert await fate_of(connection.execute("echo", "ECHO", "behind")) == (Reason.TIMEOUT, True)
    assert await long is None
    assert await connection.execute("echo", "ECHO", "next") == b"next"


async def test_time_outs_cost_one_timer(connect, hostile):
    store = await hostile(always(b""))
    connection = connect(store)
    loop = asyncio.get_running_loop()
    made = []
    original = loop.call_later
    await asyncio.gather(connection.execute("get", "GET", "k", timeout=0.1), return_exceptions=True)

    class Counting:
        """The loop, as the sweeper sees it."""

        def call_later(self, *args, **options):
            made.append(args)
            return original(*args, **options)

    connection._sweeper.arm(Counting(), time.monotonic() + 0.1)
    commands = [connection.execute("get", "GET", "k", timeout=0.5) for _ in range(500)]
    errors = await failures_of(*commands)
    assert {error.reason for error in errors} == {Reason.TIMEOUT}
    assert len(made) < 60


async def test_replies_get_a_grace_period_after_a_stall_of_the_loop(connect, hostile):
    """Both are on one machine, or throttled by one kernel: here they even share the stalled loop."""
    store = await hostile(always(b"+OK\r\n"))
    connection = connect(store, timeout=0.3)
    await ping(connection)
    commands = [connection.execute("get", "GET", "k") for _ in range(3)]
    await asyncio.sleep(0)
    time.sleep(0.6)  # noqa: ASYNC251
    assert await asyncio.gather(*commands) == [b"OK"] * 3
    assert connection.connected


async def test_repeated_stalls_extend_no_deadline(connect, server):
    connection = connect(server, timeout=0.3)
    await ping(connection)
    server.freeze()
    started = time.monotonic()
    command = connection.execute("get", "GET", "k")
    while not command.done():
        await asyncio.sleep(0)
        time.sleep(0.2)  # noqa: ASYNC251
    server.thaw()
    assert await fate_of(command) == (Reason.TIMEOUT, True)
    assert time.monotonic() - started < 5
