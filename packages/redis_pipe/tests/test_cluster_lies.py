"""Nodes with wrong answers: each wait is bounded, and no reply opens an extra connection."""

import asyncio
import time

import pytest

from packages.redis_pipe import Reason
from packages.redis_pipe.tests.hostile import Hostile, always
from packages.redis_pipe.tests.waiting import failures_of, fate_of, reason_of, until, until_it_answers
from tools.processes.cluster import SLOT

pytestmark = pytest.mark.slow

KEY = "{users:0}:k"
OK = b"+OK\r\n"


def slots(port: int, host: bytes = b"$9\r\n127.0.0.1\r\n", first: int = 0) -> bytes:
    return b"*1\r\n*3\r\n:%d\r\n:16383\r\n*3\r\n%b:%d\r\n$2\r\nid\r\n" % (first, host, port)


def nodes(epoch: int | str, *others: str) -> bytes:
    """`others`: addresses of nodes without slots."""
    lines = [f"id 127.0.0.1:1@2 myself,master - 0 0 {epoch} connected 0-16383\n"]
    lines += [f"id{n} {address} master - 0 0 0 connected\n" for n, address in enumerate(others)]
    text = "".join(lines).encode()
    return b"$%d\r\n%b\r\n" % (len(text), text)


def moved_to(port: int) -> bytes:
    return b"-MOVED %d 127.0.0.1:%d\r\n" % (SLOT, port)


class Node:
    """A hostile node: its view of the cluster, and its answer to everything else."""

    server: Hostile

    def __init__(self) -> None:
        self.nodes, self.slots, self.reply, self.delay = nodes(1), b"", OK, 0.0

    async def answer(self, words, writer) -> None:
        await asyncio.sleep(self.delay)
        views = {b"NODES": self.nodes, b"SLOTS": self.slots}
        writer.write(views[words[1]] if words[0] == b"CLUSTER" else self.reply)


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


async def test_a_cluster_that_moves_in_circles_makes_no_storm(connect, node):
    node.reply = moved_to(node.server.port)
    connection = connect(url(node.server), timeout=0.4)
    assert await reason_of(connection.execute("get", "GET", KEY)) is Reason.MOVED
    assert 3 <= [words[0] for words in node.server.commands].count(b"GET") <= 3 * (0.4 / 0.02 + 0.4 / 0.05)
    assert [words[0] for words in node.server.commands].count(b"CLUSTER") <= 2 * (0.4 / 0.05 + 2)
    assert node.server.opened == 2  # one for the map, one for commands


async def test_a_node_that_the_map_does_not_name_is_not_connected_to(connect, node, hostile):
    stranger = await hostile(always(OK))
    for code in b"MOVED", b"ASK":
        node.reply = b"-%b %d 127.0.0.1:%d\r\n" % (code, SLOT, stranger.port)
        await reason_of(connect(url(node.server), timeout=0.2).execute("get", "GET", KEY))
    assert stranger.opened == 0


@pytest.mark.parametrize("form", ["127.0.0.1:{port}@1", "127.0.0.1:{port}@1,elsewhere", "10.0.0.9:{port}@1,127.0.0.1"])
async def test_a_node_without_slots_takes_what_is_moved_to_it(connect, node, hostile, form):
    empty = await hostile(always(b"$5\r\nmoved\r\n"))
    node.nodes = nodes(1, form.format(port=empty.port))
    node.reply = b"-ASK %d 127.0.0.1:%d\r\n" % (SLOT, empty.port)
    assert await connect(url(node.server), timeout=1).execute("get", "GET", KEY) == b"moved"
    assert [words[0] for words in empty.commands] == [b"ASKING", b"GET"]


@pytest.mark.parametrize("text", ["MOVED", "MOVED 1", "MOVED x y", "ASK 1 h:999999", "MOVED 1 :²", "TRYAGAIN", "ASK  "])
async def test_a_malformed_redirection_is_one_error_at_the_deadline(connect, node, text):
    node.reply = f"-{text}\r\n".encode()
    connection = connect(url(node.server), timeout=0.5)
    assert await reason_of(connection.execute("get", "GET", KEY)) in {Reason.MOVED, Reason.TRYAGAIN}
    node.reply = OK
    assert await connection.execute("get", "GET", KEY) == b"OK"


async def test_what_waits_to_be_sent_again_is_bounded(connect, node):
    connection = connect(url(node.server), timeout=0.5, max_waiting=5)
    assert await connection.execute("get", "GET", KEY) == b"OK"
    node.reply = b"-TRYAGAIN\r\n"
    commands, most = [], 0
    for _ in range(4):
        commands += [connection.execute("get", "GET", KEY) for _ in range(5)]
        await asyncio.sleep(0.005)
        most = max(most, len(connection.cluster._held))
    assert most <= 5
    assert Reason.QUEUE_FULL in {error.reason for error in await failures_of(*commands)}


async def test_the_newest_claim_counts(connect, start, node):
    stale = await start()
    stale.reply = b"$5\r\nstale\r\n"
    node.nodes, node.reply = nodes(7), b"$3\r\nnew\r\n"
    for seeds in (stale, node), (node, stale):
        assert await connect(url(*(seed.server for seed in seeds))).execute("get", "GET", KEY) == b"new"


@pytest.mark.parametrize("host", [b"$-1\r\n", b"$0\r\n\r\n", b"$1\r\n?\r\n"])
async def test_a_node_that_has_no_name_for_itself_is_the_one_that_was_asked(connect, node, host):
    node.slots = slots(node.server.port, host)
    assert await connect(url(node.server)).execute("get", "GET", KEY) == b"OK"


async def test_a_slot_without_owner_is_down_at_once_and_served_when_it_has_one(connect, node):
    node.slots, good = slots(node.server.port, first=16383), node.slots
    connection = connect(url(node.server))
    assert await reason_of(connection.execute("get", "GET", KEY)) is Reason.CLUSTERDOWN
    failing = connection.execute("get", "GET", KEY)
    assert failing.done()
    assert await reason_of(failing) is Reason.CLUSTERDOWN
    node.slots = good
    await until_it_answers(connection)


@pytest.mark.parametrize(
    ("slots", "nodes"),
    [
        *((reply, None) for reply in (b"*-1\r\n", OK, b"*1\r\n*0\r\n", b"*1\r\n*3\r\n:0\r\n:9\r\n*1\r\n$1\r\nx\r\n")),
        *((None, reply) for reply in (b"*0\r\n", b"$-1\r\n", b"$1\r\nx\r\n", b"+\xff\r\n", b"$0\r\n\r\n", nodes("x"))),
    ],
)
async def test_a_malformed_map_names_no_primary_and_ends_no_watch(connect, node, slots, nodes):
    good = node.slots, node.nodes
    node.slots, node.nodes = slots or good[0], nodes or good[1]
    connection = connect(url(node.server), connect_timeout=0.5)
    assert await reason_of(connection.execute("get", "GET", KEY)) is Reason.PROTOCOL
    node.slots, node.nodes = good
    await until_it_answers(connection)
    node.slots, node.nodes = slots or good[0], nodes or good[1]
    await asyncio.sleep(0.7)
    assert await connection.execute("get", "GET", KEY) == b"OK", "what was known is kept"


async def test_a_slot_that_is_first_used_during_a_look_at_the_map_waits_for_the_next_look(connect, node):
    node.delay = 0.1
    connection = connect(url(node.server))
    first = asyncio.create_task(connection.owner(KEY))
    await asyncio.sleep(0.05)
    assert await connection.owner("{other}:k") is await first


async def test_no_connection_stays_to_a_node_that_has_left_the_map(connect, start, node):
    other, alone = await start(), node.slots
    other.slots = node.slots = b"*2\r\n" + slots(node.server.port)[4:] + slots(other.server.port, first=16383)[4:]
    connection = connect(url(node.server))
    await connection.owner(KEY)
    await until(lambda: other.server.open)
    other.slots = node.slots = alone
    await until(lambda: not other.server.open)


async def test_a_pipe_that_was_left_sends_nothing_and_opens_no_connection(connect, start, node):
    connection, other = connect(url(node.server)), await start()
    left = await connection.owner(KEY)
    assert await connection.execute("get", "GET", KEY) == b"OK"
    node.slots = other.slots
    while await connection.owner(KEY) is left:
        await asyncio.sleep(0.05)
    opened = node.server.opened
    for pause in (0, 0.3):  # while it drains, and after
        await asyncio.sleep(pause)
        errors = await failures_of(*left.batch([("set", ("SET", KEY, "v"), 1.0), ("wait", ("WAIT", 1, 1), 1.0)]))
        assert [(error.reason, error.uncertain) for error in errors] == [(Reason.MOVED, False)] * 2
    assert node.server.opened == opened


async def test_silence_is_bounded(connect, node):
    node.slots = b""
    started = time.monotonic()
    assert await reason_of(connect(url(node.server), connect_timeout=0.4).execute("get", "GET", KEY)) is Reason.TIMEOUT
    assert time.monotonic() - started < 2


async def test_a_slow_node_costs_half_of_the_time_to_connect_however_it_spreads_its_answers(connect, start, node):
    slow = await start()
    slow.delay = 0.9
    started = time.monotonic()
    assert await connect(url(slow.server, node.server), connect_timeout=2.0).execute("get", "GET", KEY) == b"OK"
    assert time.monotonic() - started < 1.6


async def test_close_fails_what_waits_and_the_next_command_connects_again(connect, node):
    connection = connect(url(node.server))
    assert await connection.execute("get", "GET", KEY) == b"OK"
    await connection.close()
    assert await connection.execute("get", "GET", KEY) == b"OK"
    node.reply = b"-TRYAGAIN\r\n"
    waiting = connection.execute("get", "GET", KEY)
    await asyncio.sleep(0.1)
    await connection.close()
    assert (await fate_of(waiting))[0] is Reason.CLOSED


async def test_close_ends_a_pipe_that_still_drains(connect, start, node):
    connection, other = connect(url(node.server)), await start()
    left = await connection.owner(KEY)
    await connection.execute("get", "GET", KEY)
    node.reply = b""
    waiting = connection.execute("get", "GET", KEY)
    node.slots = other.slots
    while await connection.owner(KEY) is left:
        await asyncio.sleep(0.05)
    await connection.close()
    assert await fate_of(waiting) == (Reason.CLOSED, True)
    await asyncio.sleep(0.1)
    assert node.server.open == other.server.open == 0
