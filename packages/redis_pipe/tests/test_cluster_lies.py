"""Nodes with wrong answers: each wait is bounded, and no reply opens an extra connection."""

import asyncio
import time

import pytest

from packages.redis_pipe import Reason, Unavailable
from packages.redis_pipe.tests.hostile import Hostile
from packages.redis_pipe.tests.waiting import until_it_answers
from tools.processes.cluster import SLOT

pytestmark = pytest.mark.slow

SETTLED = 1.1  # seconds; a connection that is younger is not left
INFO = b"$45\r\ncluster_state:ok\r\ncluster_current_epoch:%03d\r\n\r\n"
KEY = "{users:0}:k"


def slots(port: int, host: bytes = b"$9\r\n127.0.0.1\r\n", first: int = 0) -> bytes:
    return b"*1\r\n*3\r\n:%d\r\n:16383\r\n*3\r\n%b:%d\r\n$2\r\nid\r\n" % (first, host, port)


class Node:
    """A hostile node: its view of the cluster, and its answer to everything else."""

    server: Hostile

    def __init__(self) -> None:
        self.epoch, self.slots, self.info = 1, b"", INFO
        self.owns, self.delay = True, 0.0
        self.reply = b"+OK\r\n"

    async def answer(self, words, writer) -> None:
        await asyncio.sleep(self.delay)
        match words:
            case [b"CLUSTER", b"INFO"]:
                writer.write(self.info % self.epoch if b"%" in self.info else self.info)
            case [b"CLUSTER", b"SLOTS"]:
                writer.write(self.slots)
            case [b"EXISTS", _]:
                writer.write(b":0\r\n" if self.owns else self.reply)
            case _:
                writer.write(self.reply)


@pytest.fixture
async def start(hostile):
    async def started() -> Node:
        made = Node()
        made.server = await hostile(made.answer)
        made.slots = slots(made.server.port)
        return made

    return started


@pytest.fixture
async def node(start):
    return await start()


def url(*servers: Hostile) -> str:
    return "redis+cluster://" + ",".join(f"127.0.0.1:{server.port}" for server in servers)


async def reason_of(connection) -> Reason:
    with pytest.raises(Unavailable) as caught:
        await connection.execute("get", "GET", KEY)
    return caught.value.reason


def moved_to(port: int) -> bytes:
    return b"-MOVED %d 127.0.0.1:%d\r\n" % (SLOT, port)


async def test_a_command_is_sent_to_the_next_owner_only_once(connect, node):
    node.reply = moved_to(node.server.port)
    connection = connect(url(node.server))
    await reason_of(connection)
    await asyncio.sleep(SETTLED)
    node.server.commands.clear()
    assert await reason_of(connection) is Reason.MOVED
    assert [words[0] for words in node.server.commands].count(b"GET") == 2


async def test_a_cluster_that_moves_in_circles_makes_no_storm(connect, node):
    node.reply = moved_to(node.server.port)
    connection = connect(url(node.server))
    until, asked = time.monotonic() + 2.5, 0
    while time.monotonic() < until:
        assert await reason_of(connection) is Reason.MOVED
        asked += 1
        await asyncio.sleep(0.005)
    assert asked > 50
    assert node.server.opened <= 12  # to ask, to watch, to use: at most once a second


async def test_an_owner_that_redirects_is_not_connected_to(connect, node):
    node.owns, node.reply = False, moved_to(1)
    connection = connect(url(node.server), connect_timeout=0.5)
    assert await reason_of(connection) is Reason.MOVED
    assert not connection.connected


async def test_the_newest_view_counts(connect, start, node):
    stale = await start()
    stale.reply = b"$5\r\nstale\r\n"
    node.epoch, node.reply = 7, b"$3\r\nnew\r\n"
    for seeds in (stale, node), (node, stale):
        assert await connect(url(*(seed.server for seed in seeds))).execute("get", "GET", KEY) == b"new"


@pytest.mark.parametrize("host", [b"$-1\r\n", b"$0\r\n\r\n", b"$1\r\n?\r\n"])
async def test_a_node_that_has_no_name_for_itself_is_the_one_that_was_asked(connect, node, host):
    node.slots = slots(node.server.port, host)
    assert await connect(url(node.server)).execute("get", "GET", KEY) == b"OK"


async def test_a_slot_without_owner_is_down(connect, node):
    node.slots = slots(node.server.port, first=16383)
    assert await reason_of(connect(url(node.server))) is Reason.CLUSTERDOWN


@pytest.mark.parametrize(
    "reply",
    [b"*0\r\n", b"*-1\r\n", b"+OK\r\n", b"*1\r\n*0\r\n", b"*1\r\n*3\r\n:0\r\n:16383\r\n*1\r\n$1\r\nx\r\n"],
)
async def test_a_malformed_map_of_slots_names_no_primary_and_ends_no_watch(connect, node, reply):
    node.slots, good = reply, node.slots
    connection = connect(url(node.server), connect_timeout=0.5)
    assert await reason_of(connection) in {Reason.PROTOCOL, Reason.CLUSTERDOWN}
    node.slots = good
    await until_it_answers(connection)
    node.slots = reply
    await asyncio.sleep(0.7)
    assert not connection._link._watching.done()


@pytest.mark.parametrize(
    "info", [b"*0\r\n", b"$-1\r\n", b"$1\r\nx\r\n", b"$18\r\ncluster_state:ok\r\n\r\n", b"+\xff\r\n"]
)
async def test_a_malformed_cluster_state_names_no_primary(connect, node, info):
    node.info = info
    assert await reason_of(connect(url(node.server), connect_timeout=0.5)) is Reason.PROTOCOL


async def test_silence_is_bounded(connect, node):
    node.slots = b""
    started = time.monotonic()
    assert await reason_of(connect(url(node.server), connect_timeout=0.4)) is Reason.TIMEOUT
    assert time.monotonic() - started < 2


async def test_a_slow_node_costs_half_of_the_time_to_connect_however_it_spreads_its_answers(connect, start, node):
    slow = await start()
    slow.delay = 0.9
    started = time.monotonic()
    assert await connect(url(slow.server, node.server), connect_timeout=2.0).execute("get", "GET", KEY) == b"OK"
    assert time.monotonic() - started < 1.6
