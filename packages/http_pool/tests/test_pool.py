"""The number of connections, their age, and the queue."""

import asyncio
from typing import Any

import pytest

from packages.http_pool import ConnectFailed, ConnectionReset, PoolFull

from .hostile import OK, Peer, ask, eventually, fate_of, forever, get, get_until


class Gate:
    """Answers only while it is open."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.busy = self.peak = 0

    async def __call__(self, peer: Peer) -> None:
        self.server = peer.server
        while True:
            await peer.request()
            self.busy += 1
            self.peak = max(self.peak, self.busy)
            await self.open.wait()
            self.busy -= 1
            await peer.send(OK)


@pytest.fixture
def crowd(hostile, client):
    """Starts requests to a gate, more than `connections`, and waits until the others queue."""

    async def start(requests: int, connections: int = 1, **limits):
        gate = Gate()
        upstream = client(await hostile(gate), max_connections=connections, **limits)
        tasks = [asyncio.create_task(get(upstream, b"/%d" % number)) for number in range(requests)]
        await eventually(lambda: gate.busy == connections and upstream.stats.waiting == requests - connections)
        return gate, upstream, tasks

    return start


async def test_connections_are_capped_and_other_requests_queue(crowd):
    gate, upstream, tasks = await crowd(10, connections=3)
    assert upstream.stats == (3, 0, 7)
    gate.open.set()
    assert [answer.body for answer in await asyncio.gather(*tasks)] == [b"ok"] * 10
    assert upstream.stats == (3, 3, 0)
    assert (gate.server.opened, gate.peak) == (3, 3)
    queued = [seen.line for seen in gate.server.seen[3:]]
    assert queued == sorted(queued), "first come"


async def test_queue_is_bounded(crowd):
    gate, upstream, tasks = await crowd(3, max_waiting=2)
    assert await fate_of(get(upstream)) == (PoolFull, False)
    gate.open.set()
    await asyncio.gather(*tasks)


async def test_wait_for_a_connection_ends_at_the_timeout(crowd):
    gate, upstream, [first] = await crowd(1)
    assert await fate_of(get(upstream, timeout=0.1)) == (PoolFull, False)
    assert upstream.stats == (1, 0, 0)
    gate.open.set()
    assert (await first).body == b"ok"


async def test_cancelled_waiter_frees_its_place(crowd):
    gate, upstream, tasks = await crowd(3)
    tasks[1].cancel()
    await asyncio.wait(tasks[1:2])
    assert upstream.stats == (1, 0, 1)
    gate.open.set()
    assert (await tasks[2]).body == b"ok"
    assert upstream.stats == (1, 1, 0)


@pytest.mark.parametrize("given", ["a connection", "a slot"])
async def test_waiter_cancelled_as_it_is_served_passes_its_connection_on(crowd, given):
    gate, upstream, tasks = await crowd(3)
    # The moment of hand-over cannot be hit from outside: cancel in the very call that serves the waiter.
    pool = upstream._members.all[0].pool
    served: list[asyncio.Task[Any]] = []
    serve = pool._next_waiter

    def serve_and_cancel():
        waiter = serve()
        if not served:
            asyncio.get_running_loop().call_soon(tasks[1].cancel)
            served.append(waiter)
        return waiter

    pool._next_waiter = serve_and_cancel
    if given == "a slot":
        tasks[0].cancel()
    gate.open.set()
    assert (await tasks[2]).body == b"ok"
    await asyncio.wait(tasks)
    assert served
    assert tasks[1].cancelled()
    assert upstream.stats == (1, 1, 0)


async def test_connection_ends_at_its_request_count(hostile, client):
    server = await hostile(forever())
    upstream = client(server, max_requests=2)
    for _ in range(5):
        await get(upstream)
    assert server.opened == 3


async def test_connection_ends_at_its_age_busy_or_idle(hostile, client):
    server = await hostile(forever())
    upstream = client(server, max_age=0.3)
    await get(upstream)
    await eventually(lambda: upstream.stats.open == 0)
    await get(upstream)
    first = server.opened
    await get_until(upstream, lambda: server.opened > first)


async def test_connection_ends_at_its_age_when_requests_queue_for_it(hostile, client):
    server = await hostile(forever())
    upstream = client(server, max_connections=1, max_age=0.3, max_requests=10**9)

    async def stay_busy() -> None:
        while server.opened == 1:
            await get(upstream)

    await asyncio.wait_for(asyncio.gather(*[get(upstream) for _ in range(3)]), 10)
    await asyncio.wait_for(asyncio.gather(*[stay_busy() for _ in range(3)]), 10)


async def test_idle_connections_are_closed_and_the_used_one_stays(hostile, client):
    gate = Gate()
    gate.open.set()
    server = await hostile(gate)
    upstream = client(server, idle_timeout=0.5)
    await asyncio.gather(*[get(upstream) for _ in range(4)])
    assert upstream.stats == (4, 4, 0)
    await get_until(upstream, lambda: upstream.stats.open == 1)
    assert server.opened == 4, "the last one used is the first one used again"


async def test_idle_connections_are_closed_one_after_the_other_without_traffic(hostile, client):
    async def script(peer: Peer) -> None:
        await peer.request()
        await asyncio.sleep(0.2 * (peer.number - 1))
        await peer.send(OK)
        await peer.until_closed()

    upstream = client(await hostile(script), idle_timeout=0.4)
    await asyncio.gather(get(upstream), get(upstream))
    await eventually(lambda: upstream.stats.open == 0)


async def test_expired_connection_is_not_used_before_it_is_swept(hostile, client):
    server = await hostile(forever())
    upstream = client(server, idle_timeout=60)
    await get(upstream)
    upstream._members.all[0].pool._idle[0].idle_until = 0.0
    await get(upstream)
    assert server.opened == 2
    await eventually(lambda: upstream.stats == (1, 1, 0))


async def test_waiter_whose_connection_is_lost_gets_another(hostile, client):
    server = await hostile(forever())
    upstream = client(server, max_connections=1)
    await get(upstream)
    pool = upstream._members.all[0].pool
    (held,) = pool._idle
    pool._idle.clear()  # as if in use
    # POST: it would not be sent again, had it been sent on a connection that is lost.
    waiting = asyncio.create_task(ask(upstream, "POST", body=b"x"))
    await eventually(lambda: upstream.stats.waiting == 1)
    pool._release(held)
    held.abort()
    assert (await waiting).body == b"ok"
    assert upstream.stats == (1, 1, 0)
    assert server.opened == 2


async def test_slots_of_lost_connections_go_to_the_queue(hostile, client):
    async def script(peer: Peer) -> None:
        await peer.request()
        if peer.number <= 3:
            peer.reset()
        else:
            await peer.send(OK)
            await forever()(peer)

    upstream = client(await hostile(script), max_connections=1)
    results = await asyncio.gather(*[get(upstream) for _ in range(5)], return_exceptions=True)
    assert [type(result) for result in results[:3]] == [ConnectionReset] * 3


async def test_close_ends_everything(crowd):
    _, upstream, [in_flight, waiting] = await crowd(2)
    await upstream.close()
    assert await fate_of(in_flight) == (ConnectionReset, True)
    assert await fate_of(waiting) == (ConnectFailed, False)
    assert await fate_of(get(upstream)) == (ConnectFailed, False)
    assert upstream.stats == (0, 0, 0)
    await upstream.close()


async def test_connection_opened_during_close_is_closed(hostile, client):
    upstream = client(await hostile(forever()))
    task = asyncio.create_task(get(upstream))
    while not upstream.stats.open:
        await asyncio.sleep(0)
    await upstream.close()
    with pytest.raises((ConnectFailed, ConnectionReset)):
        await task
