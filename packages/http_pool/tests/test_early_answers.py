"""Answers that arrive before the request was sent end the sending."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from .hostile import Peer, ask, eventually

pytestmark = pytest.mark.slow

PIECE = bytes(65536)
PIECES = 1024
REFUSED = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\n\r\nlong"


async def pieces(taken: list[int]) -> AsyncIterator[bytes]:
    for index in range(PIECES):
        taken.append(index)
        yield PIECE


@pytest.mark.parametrize("kind", ["chunked", "sized", "bytes"])
async def test_answer_before_the_body_was_sent_ends_the_sending(hostile, client, kind):
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(REFUSED)
        await asyncio.sleep(0.2)  # without reading: the body is stuck on its way
        await peer.until_closed()

    server = await hostile(script)
    upstream = client(server)
    taken: list[int] = []
    body = PIECE * PIECES if kind == "bytes" else pieces(taken)
    length = PIECES * len(PIECE) if kind == "sized" else None
    answer = await ask(upstream, "POST", body=body, length=length, timeout=60)
    assert (answer.status, answer.body) == (413, b"long")
    assert len(taken) < PIECES
    await eventually(lambda: upstream.stats.open == 0)


async def test_refusal_of_a_server_that_closes_with_unread_data_arrives(hostile, client):
    """The kernel sends RST behind the answer: in 413 the client reads the reason, in 502 nothing."""

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(REFUSED)

    upstream = client(await hostile(script))
    answer = await ask(upstream, "POST", body=b"x" * 100_000, timeout=60)
    assert answer.status == 413


async def test_answer_while_the_body_stalls_is_delivered(hostile, client):
    left = asyncio.Event()

    async def stalls() -> AsyncIterator[bytes]:
        try:
            yield b"first"
            await asyncio.sleep(3600)
        finally:
            left.set()

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(REFUSED)
        await peer.until_closed()

    upstream = client(await hostile(script))
    answer = await ask(upstream, "POST", body=stalls(), timeout=60)
    assert answer.status == 413
    await asyncio.wait_for(left.wait(), 10)
    await eventually(lambda: upstream.stats.open == 0)
