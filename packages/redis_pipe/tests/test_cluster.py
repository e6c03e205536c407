import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from packages.redis_pipe import Reason, Script, Unavailable
from packages.redis_pipe.tests.waiting import failures_of, reason_of, until_it_answers
from tools.processes.cluster import SLOT, Nodes, cluster, node_id, until, url_of
from tools.processes.service import free_port
from tools.processes.valkey import PASSWORD

KEY, OTHER_KEY = "{users:0}:test", "{users:0}:ids"
COUNT = Script("count", "redis.call('ZADD', KEYS[2], 0, ARGV[1]) return redis.call('INCR', KEYS[1])")


@pytest.fixture(scope="module")
def running() -> Iterator[Nodes]:
    with cluster() as nodes:
        yield nodes


@pytest.fixture
def nodes(running: Nodes) -> Nodes:
    """The cluster, complete and empty after any earlier test."""
    running.restore()
    return running


async def answer_or_none(connection, *words):
    with contextlib.suppress(Unavailable):
        return await connection.execute("x", *words)


class Load:
    """Runs a script with two keys repeatedly, each time with another member; returns the results."""

    def __init__(self, connection) -> None:
        self.connection = connection
        self.acknowledged = self.uncertain = 0
        self.reasons: Counter[Reason] = Counter()
        self.longest_gap, self._last = 0.0, time.monotonic()

    async def __aenter__(self) -> "Load":
        await self.connection.run(COUNT, [KEY, OTHER_KEY], ["first"])
        self.acknowledged = 1
        self._task = asyncio.create_task(self._run())
        await asyncio.sleep(1.2)  # from now on the connection is old enough to be replaced
        return self

    async def __aexit__(self, *_) -> None:
        await asyncio.sleep(0.5)
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task  # which has not ended before, with an error that nobody expected

    async def _run(self) -> None:
        for number in range(1_000_000):
            try:
                await self.connection.run(COUNT, [KEY, OTHER_KEY], [f"m{number}"])
                now = time.monotonic()
                self.longest_gap, self._last = max(self.longest_gap, now - self._last), now
                self.acknowledged += 1
            except Unavailable as error:
                self.uncertain += error.uncertain
                self.reasons[error.reason] += 1
            await asyncio.sleep(0.002)

    def assert_none_lost_none_doubled(self, nodes: Nodes) -> None:
        count, members = int(nodes.owner.command("GET", KEY)), nodes.owner.command("ZCARD", OTHER_KEY)
        # Cancelled in the end: the last one may have been made.
        assert self.acknowledged <= count <= self.acknowledged + self.uncertain + 1
        assert members == count


async def test_the_owner_is_found_behind_nodes_that_are_gone_and_by_a_replica(connect, nodes):
    for node in nodes.another(), nodes.replica:
        await connect(url_of(free_port(), node.port)).execute("append", "APPEND", KEY, "v")
    assert nodes.owner.command("GET", KEY) == b"vv"


async def test_when_the_owner_dies_the_next_one_is_found(connect, nodes):
    owner, connection = nodes.owner, connect(nodes.url, timeout=1.0, connect_timeout=0.5)
    await connection.execute("set", "SET", KEY, "before")
    await connection.execute("wait", "WAIT", 1, 1000)
    owner.kill()
    assert await until_it_answers(connection, 10) > 0.1
    assert await connection.execute("get", "GET", KEY) == b"before"
    await connection.execute("set", "SET", KEY, "after")
    assert nodes.owner.command("GET", KEY) == b"after"


async def test_an_owner_cut_off_from_the_others_is_down_until_they_are_back(connect, nodes):
    owner, others = nodes.owner, [node for node in nodes.all if node is not nodes.owner]
    connection = connect(nodes.url, timeout=1.0, connect_timeout=0.5)
    await connection.execute("set", "SET", KEY, "v")
    for node in others:
        node.freeze()
    await asyncio.to_thread(until, lambda: b"cluster_state:fail" in owner.command("CLUSTER", "INFO"))
    assert await reason_of(connection.execute("get", "GET", KEY)) is Reason.CLUSTERDOWN
    assert await reason_of(connect(nodes.url, connect_timeout=4.0).execute("get", "GET", KEY)) is Reason.CLUSTERDOWN
    for node in others:
        node.thaw()
    await asyncio.to_thread(nodes.until_settled)
    assert await connection.execute("get", "GET", KEY) == b"v"


async def test_an_owner_is_left_that_the_others_have_replaced_without_its_knowledge(connect, nodes):
    """After a freeze it would take writes until the others reach it."""
    owner, connection = nodes.owner, connect(nodes.url, timeout=0.5, connect_timeout=0.5)
    await connection.execute("set", "SET", KEY, "v")
    await connection.execute("wait", "WAIT", 1, 1000, timeout=2.0)
    owner.freeze()
    assert (await failures_of(connection.execute("get", "GET", KEY)))[0].reason is Reason.TIMEOUT
    started = time.monotonic()
    while await answer_or_none(connection, "GET", KEY) is None:
        assert time.monotonic() - started < 15
        await asyncio.sleep(0.05)
    owner.thaw()
    await connection.execute("set", "SET", KEY, "new")
    await asyncio.to_thread(nodes.until_settled)
    assert await connection.execute("get", "GET", KEY) == b"new"


async def test_a_map_that_no_node_gives_has_a_reason(connect, nodes, server):
    """A wrong password, whatever another node says; closed ports; a server that is not a cluster."""
    closed, wrong = url_of(free_port(), free_port()), url_of(free_port(), nodes.owner.port).replace("p%40ss", "wr0ng")
    targets = wrong, closed, url_of(server.port)
    reasons = [await reason_of(connect(target).execute("get", "GET", KEY)) for target in targets]
    assert reasons == [Reason.AUTH, Reason.REFUSED, Reason.REJECTED]


async def test_a_manual_failover_loses_no_write_and_doubles_none(connect, nodes):
    replica = nodes.replica
    async with Load(connect(nodes.url, timeout=1.0, connect_timeout=0.5)) as load:
        await asyncio.to_thread(replica.command, "CLUSTER", "FAILOVER")
        await asyncio.to_thread(until, lambda: nodes.owner is replica)
    assert load.acknowledged > 100
    load.assert_none_lost_none_doubled(nodes)
    assert load.longest_gap < 2


async def test_a_slot_that_is_moved_at_once_takes_no_write_with_it(connect, nodes):
    target = nodes.another()
    async with Load(connect(nodes.url, timeout=1.0, connect_timeout=0.5)) as load:
        await asyncio.to_thread(nodes.move_slot, target)
    load.assert_none_lost_none_doubled(nodes)
    assert load.longest_gap < 2


class Moving:
    """The users' slot on its way to another primary, key by key."""

    def __init__(self, nodes: Nodes) -> None:
        self.source, self.target = nodes.owner, nodes.another()
        self.target.command("CLUSTER", "SETSLOT", SLOT, "IMPORTING", node_id(self.source))
        self.source.command("CLUSTER", "SETSLOT", SLOT, "MIGRATING", node_id(self.target))

    def migrate(self, key: str) -> None:
        to = ("127.0.0.1", self.target.port, "", 0, 5000, "AUTH", PASSWORD, "KEYS", key)
        assert self.source.command("MIGRATE", *to) == b"OK"

    def finish(self) -> None:
        for node in (self.target, self.source):
            node.command("CLUSTER", "SETSLOT", SLOT, "NODE", node_id(self.target))


async def test_a_slot_moved_key_by_key_serves_single_keys_and_holds_scripts_until_it_is_done(connect, nodes):
    async with Load(connect(nodes.url, timeout=5.0, connect_timeout=0.5)) as load:
        moving = Moving(nodes)
        for key in (KEY, OTHER_KEY):
            await asyncio.sleep(0.3)
            moving.migrate(key)
            served = await load.connection.execute("get", "GET", KEY, timeout=0.5)
            assert int(served) in {load.acknowledged, load.acknowledged + 1}
        made = load.acknowledged
        assert moving.target.client().info("commandstats")["cmdstat_asking"]["calls"] > 0
        moving.finish()
    assert nodes.owner is moving.target
    load.assert_none_lost_none_doubled(nodes)
    assert load.acknowledged > made + 10
    assert not load.reasons


async def test_a_script_over_a_torn_slot_ends_with_its_deadline(connect, nodes):
    connection = connect(nodes.url, timeout=0.3)
    await connection.run(COUNT, [KEY, OTHER_KEY], ["first"])
    moving = Moving(nodes)
    moving.migrate(KEY)
    assert await reason_of(connection.run(COUNT, [KEY, OTHER_KEY], ["second"])) is Reason.TRYAGAIN
    moving.migrate(OTHER_KEY)
    moving.finish()
    assert await connection.run(COUNT, [KEY, OTHER_KEY], ["second"]) == 2
