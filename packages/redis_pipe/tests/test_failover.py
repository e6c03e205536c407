import asyncio
import math
import time

import pytest

from packages.redis_pipe import Reason, Unavailable
from packages.redis_pipe.tests.hostile import always
from packages.redis_pipe.tests.waiting import ping, reason_of, until_it_answers
from tools.processes.sentinel import replica_of, sentinel_of, sentinel_url
from tools.processes.service import free_port
from tools.processes.valkey import Valkey, valkey

pytestmark = pytest.mark.slow

STABLE = 1.1  # seconds; only an older connection looks the primary up again


@pytest.fixture
def failover():
    """A primary, its replica and a sentinel of both."""
    with valkey() as primary, replica_of(primary) as replica, sentinel_of(primary) as sentinel:
        sentinel.wait_for(lambda client: client.sentinel_master("mymaster")["num-slaves"] == 1)
        yield primary, replica, sentinel


def fail_over(primary: Valkey, sentinel: Valkey) -> None:
    """Have the two swap their roles, without a moment with two primaries, and wait until they have."""
    sentinel.wait_for(lambda client: client.execute_command("SENTINEL", "FAILOVER", "mymaster", "COORDINATED"))
    primary.wait_for(lambda client: client.role()[0] == b"slave")


async def test_the_primary_is_found_behind_sentinels_that_are_gone_or_hang(connect, failover, hostile):
    primary, _, sentinel = failover
    hung = await hostile(always(b""), setup_reply=b"")
    sentinels = sentinel_url(free_port(), hung.port, sentinel.port)
    await connect(sentinels, timeout=1.0, connect_timeout=0.5).execute("set", "SET", "k", "v")
    assert primary.command("GET", "k") == b"v"


async def test_when_the_primary_dies_the_next_one_is_found(connect, failover):
    primary, replica, sentinel = failover
    connection = connect(sentinel_url(sentinel.port), timeout=1.0, connect_timeout=0.5)
    await connection.execute("set", "SET", "before", "1")
    replica.wait_for(lambda client: client.get("before"))
    primary.kill()
    await asyncio.to_thread(replica.wait_for, lambda client: client.role()[0] == b"master")
    assert await until_it_answers(connection, 10) < 3
    await connection.execute("set", "SET", "after", "2")
    assert replica.command("MGET", "before", "after") == [b"1", b"2"]


async def test_a_coordinated_failover_loses_no_write_and_doubles_none(connect, failover):
    primary, replica, sentinel = failover
    connection = connect(sentinel_url(sentinel.port), timeout=1.0, connect_timeout=0.5)
    await ping(connection)
    failing_over = asyncio.ensure_future(asyncio.to_thread(fail_over, primary, sentinel))
    acknowledged, uncertain, until = 0, 0, math.inf
    while time.monotonic() < until:
        if failing_over.done() and until == math.inf:
            until = time.monotonic() + 2
        try:
            await connection.execute("incr", "INCR", "n")
            acknowledged += 1
        except Unavailable as error:
            uncertain += error.uncertain
        await asyncio.sleep(0.005)
    await failing_over
    assert acknowledged > 20
    assert acknowledged <= int(replica.command("GET", "n")) <= acknowledged + uncertain


async def test_a_former_primary_that_still_takes_writes_is_left(connect, failover):
    primary, replica, sentinel = failover
    connection = connect(sentinel_url(sentinel.port))
    await connection.execute("set", "SET", "k", "old")
    sentinel.wait_for(lambda client: client.execute_command("SENTINEL", "FAILOVER", "mymaster"))
    await asyncio.to_thread(
        sentinel.wait_for, lambda client: client.sentinel_master("mymaster")["port"] == replica.port
    )
    await asyncio.sleep(1.5)
    await connection.execute("set", "SET", "k", "new")
    assert replica.command("GET", "k") == b"new"
    assert primary.command("ROLE")[0] == b"master", "not demoted yet"


async def test_a_replica_named_by_a_stale_sentinel_is_rejected(connect, server, hostile):
    with replica_of(server) as replica:
        fields = ["name", "mymaster", "ip", "127.0.0.1", "port", str(replica.port), "flags", "master"]
        fields += ["num-other-sentinels", "0"]
        reply = f"*{len(fields)}\r\n" + "".join(f"${len(field)}\r\n{field}\r\n" for field in fields)
        stale = await hostile(always(reply.encode()))
        assert await reason_of(ping(connect(sentinel_url(stale.port)))) is Reason.NO_PRIMARY


async def test_without_a_sentinel_there_is_no_primary(connect):
    assert await reason_of(ping(connect(sentinel_url(free_port(), free_port())))) is Reason.NO_PRIMARY


async def test_read_only_is_asked_again_of_the_primary_of_now(connect, hostile):
    """The old connection gives its last replies, then a new one is opened and the write is sent once more."""
    seen: list[tuple[int, bytes]] = []

    async def demoted(words, writer):
        seen.append((store.opened, words[0]))
        if words[0] == b"SET" and store.opened == 1:
            writer.write(b"-READONLY You can't write against a read only replica.\r\n")
        else:
            writer.write(b"+OK\r\n")

    store = await hostile(demoted)
    connection = connect(store)
    await ping(connection)
    await asyncio.sleep(STABLE)
    commands = [connection.execute("x", word, "k") for word in ("SET", "GET", "SET", "GET")]
    assert await asyncio.gather(*commands) == [b"OK"] * 4
    assert seen == [
        (1, b"PING"), (1, b"SET"), (1, b"GET"), (1, b"SET"), (1, b"GET"), (2, b"SET"), (2, b"SET"),
    ]  # fmt: skip


async def test_permanent_read_only_opens_no_connection_for_each_write(connect, hostile):
    store = await hostile(always(b"-READONLY You can't write against a read only replica.\r\n"))
    connection = connect(store)
    await asyncio.gather(ping(connection), return_exceptions=True)
    await asyncio.sleep(STABLE)
    for _ in range(50):
        assert await reason_of(connection.execute("set", "SET", "k", "v")) is Reason.READONLY
    assert store.opened == 2


async def test_a_write_is_asked_again_only_once(connect, hostile):
    async def read_only(words, writer):
        if store.opened == 2:
            await asyncio.sleep(STABLE)  # now this connection is old enough to be left, too
        writer.write(b"-READONLY You can't write against a read only replica.\r\n")

    store = await hostile(read_only)
    connection = connect(store)
    await asyncio.gather(ping(connection), return_exceptions=True)
    await asyncio.sleep(STABLE)
    assert await reason_of(connection.execute("set", "SET", "k", "v")) is Reason.READONLY
    assert [words[0] for words in store.commands] == [b"PING", b"SET", b"SET"]
