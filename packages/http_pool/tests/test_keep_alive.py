"""Connections that the server closes while they are idle, and the one retry after that."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from packages.http_pool import ConnectionReset

from .hostile import OK, Peer, always, ask, eventually, get, once

REPEATABLE = ["GET", "HEAD", "OPTIONS"]


async def test_idle_connection_that_was_closed_is_not_used(hostile, client):
    server = await hostile(always(OK))
    upstream = client(server)
    await get(upstream)
    await eventually(lambda: upstream.stats.open == 0)
    answer = await ask(upstream, "POST", body=b"x")
    assert answer.body == b"ok"
    assert len(server.seen) == 2


def closes_when_asked_again(with_reset: bool):
    """The race of keep-alive: the server closes while the next request is in transit."""

    async def script(peer: Peer) -> None:
        if peer.number == 1:
            await peer.answer(OK)
            await peer.request()
            if with_reset:
                peer.reset()
            return
        while True:
            await peer.answer(b"HTTP/1.1 204 No Content\r\n\r\n")

    return script


@pytest.mark.parametrize("with_reset", [False, True])
@pytest.mark.parametrize("method", REPEATABLE)
async def test_safe_request_is_repeated_on_a_fresh_connection(hostile, client, method, with_reset):
    server = await hostile(closes_when_asked_again(with_reset))
    upstream = client(server, max_connections=1)
    await get(upstream)
    answer = await ask(upstream, method, target=b"/again")
    assert answer.status == 204
    assert server.opened == 2
    assert [seen.line.split()[1] for seen in server.seen] == [b"/", b"/again", b"/again"]
    assert server.seen[1] == server.seen[2]


async def streamed() -> AsyncIterator[bytes]:
    yield b"once"


@pytest.mark.parametrize(
    ("method", "sent"),
    [("POST", b"x"), ("PATCH", b"x"), ("PUT", b"x"), ("DELETE", b""), ("GET", None), ("PURGE", b"")],
)
async def test_other_requests_are_never_sent_twice(hostile, client, method, sent):
    server = await hostile(closes_when_asked_again(with_reset=False))
    upstream = client(server)
    await get(upstream)
    with pytest.raises(ConnectionReset) as caught:
        await ask(upstream, method, body=streamed() if sent is None else sent)
    assert caught.value.sent
    assert caught.value.reused
    assert len(server.seen) == 2


async def test_one_retry_is_the_limit(hostile, client):
    async def script(peer: Peer) -> None:
        if peer.number == 1:
            await peer.answer(OK)
        await peer.request()

    server = await hostile(script)
    upstream = client(server)
    await get(upstream)
    with pytest.raises(ConnectionReset) as caught:
        await get(upstream)
    assert not caught.value.reused
    assert len(server.seen) == 3


async def test_reset_of_a_fresh_connection_is_not_retried(hostile, client):
    server = await hostile(once(resets=True))
    with pytest.raises(ConnectionReset) as caught:
        await get(client(server))
    assert (caught.value.sent, caught.value.reused) == (True, False)
    assert len(server.seen) == 1


async def test_retry_waits_in_the_queue_behind_others(hostile, client):
    """The lost connection's slot goes to the queue."""

    async def script(peer: Peer) -> None:
        if peer.number == 1:
            await peer.answer(OK)
            await peer.request()
            await asyncio.sleep(0.1)
            return
        while True:
            await peer.answer(OK)

    server = await hostile(script)
    upstream = client(server, max_connections=1)
    await get(upstream)
    again, waiting = asyncio.create_task(get(upstream, b"/again")), asyncio.create_task(get(upstream, b"/waiting"))
    assert [answer.body for answer in await asyncio.gather(again, waiting)] == [b"ok", b"ok"]
    assert [seen.line.split()[1] for seen in server.seen] == [b"/", b"/again", b"/waiting", b"/again"]
    assert server.opened == 2
    assert upstream.stats == (1, 1, 0)


async def test_retry_at_the_cap_replaces_an_idle_connection(hostile, client):
    """Every connection was closed while idle, and every slot is taken."""
    both = asyncio.Barrier(2)

    async def script(peer: Peer) -> None:
        if peer.number <= 2:
            await peer.request()
            await both.wait()
            await peer.send(OK)
            await peer.request()
            return
        while True:
            await peer.answer(OK)

    server = await hostile(script)
    upstream = client(server, max_connections=2)
    await asyncio.gather(get(upstream), get(upstream))
    assert (await get(upstream)).body == b"ok"
    assert server.opened == 3
    assert len(server.seen) == 4
