"""Large bodies in both directions: back-pressure, in constant memory."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator

import pytest

from packages.http_pool import ConnectionReset

from .hostile import OK, Peer, always, ask, eventually, fate_of, forever, get, once, read

pytestmark = pytest.mark.slow

PIECE = bytes(range(256)) * 256  # 64 KiB
PIECES = 1024  # 64 MiB
SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (PIECES * len(PIECE))
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
# Buffers between two ends that do not read: ours and the kernel's, several MiB on some machines.
IN_BETWEEN = 24 * 1024 * 1024


async def pieces(number: int = PIECES, taken: list[int] | None = None) -> AsyncIterator[bytes]:
    for index in range(number):
        if taken is not None:
            taken.append(index)
        yield PIECE


@pytest.mark.parametrize("chunked", [False, True])
async def test_large_answer_waits_for_its_reader(hostile, client, chunked):
    sent: list[int] = []

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED if chunked else SIZED)
        for index in range(PIECES):
            sent.append(index)
            await peer.send(b"%x\r\n%b\r\n" % (len(PIECE), PIECE) if chunked else PIECE)
        await peer.send(b"0\r\n\r\n" if chunked else b"")
        await peer.answer(OK)

    server = await hostile(script)
    upstream = client(server)
    answer = await get(upstream, timeout=60)
    assert answer.body is None
    await asyncio.sleep(0.2)
    assert len(sent) * len(PIECE) < IN_BETWEEN, "it arrived without a reader"
    size = 0
    async for chunk in answer.chunks():
        assert chunk
        size += len(chunk)
    assert size == PIECES * len(PIECE)
    assert (await get(upstream)).body == b"ok"
    assert server.opened == 1


@pytest.mark.asyncio(loop_factories=["uvloop"])
async def test_memory_stays_constant_both_ways(hostile, client):
    """The server sends back what it gets: 64 MiB are under way in both directions at once."""

    async def echo(peer: Peer) -> None:
        await peer.head()
        await peer.send(SIZED)
        for _ in range(PIECES):
            await peer.send(await peer.reader.readexactly(len(PIECE)))
        await peer.until_closed()

    upstream = client(await hostile(echo))
    length = PIECES * len(PIECE)
    tracemalloc.start()
    try:
        answer = await ask(upstream, "POST", body=pieces(), length=length, timeout=60)
        size = 0
        async for chunk in answer.chunks():
            size += len(chunk)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size == length
    assert peak < 8 * 1024 * 1024


@pytest.mark.parametrize("length", [None, PIECES * len(PIECE)])
async def test_large_request_waits_for_the_server(hostile, client, length):
    read_on = asyncio.Event()

    async def script(peer: Peer) -> None:
        await read_on.wait()
        await peer.answer(OK, OK)

    server = await hostile(script)
    upstream = client(server)
    taken: list[int] = []
    request = asyncio.create_task(ask(upstream, "PUT", body=pieces(taken=taken), length=length, timeout=60))
    await eventually(lambda: bool(taken))
    await asyncio.sleep(0.2)
    assert len(taken) * len(PIECE) < IN_BETWEEN, "it was sent without a reader"
    read_on.set()
    assert (await request).body == b"ok"
    assert server.seen[0].body == PIECE * PIECES
    assert (await get(upstream)).body == b"ok"
    assert server.opened == 1


@pytest.mark.parametrize(("size", "is_whole"), [(64 * 1024, True), (300_000, False)])
async def test_answer_just_over_the_limit_is_a_stream_and_complete(hostile, client, size, is_whole):
    body = b"x" * size
    parts = [body[start : start + 50_000] for start in range(0, size, 50_000)]
    script = once(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size, *parts, pause=0.01)
    answer = await get(client(await hostile(script)))
    assert (answer.body is not None) is is_whole
    assert await read(answer) == body


async def test_complete_body_is_readable_while_its_connection_is_reused(hostile, client):
    """The reader is slow, the body complete: the connection serves the next request meanwhile."""
    large = b"HTTP/1.1 200 OK\r\nContent-Length: 150000\r\n\r\n" + b"x" * 70_000

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(large)
        await asyncio.sleep(0.1)
        await peer.send(b"x" * 80_000)
        await peer.answer(OK)

    server = await hostile(script)
    upstream = client(server)
    answer = await get(upstream)
    await eventually(lambda: upstream.stats.idle == 1)
    assert (await get(upstream)).body == b"ok"
    assert await read(answer) == b"x" * 150_000
    await answer.aclose()
    assert server.opened == 1


@pytest.mark.parametrize("leave", ["aclose", "break", "cancel"])
async def test_abandoned_answer_closes_its_connection(hostile, client, leave):
    server = await hostile(once(SIZED + PIECE * 2))
    upstream = client(server)
    answer = await get(upstream, timeout=60)
    if leave == "cancel":
        reader = asyncio.create_task(read(answer))
        await asyncio.sleep(0.1)
        reader.cancel()
    elif leave == "break":
        chunks = answer.chunks()
        await anext(chunks)
        await chunks.aclose()
    else:
        await answer.aclose()
    await eventually(lambda: upstream.stats.open == server.open == 0)
    with pytest.raises(ConnectionReset, match="abandoned"):
        await read(answer)


async def test_reader_is_woken_when_its_answer_is_abandoned(hostile, client):
    answer = await get(client(await hostile(once(SIZED + PIECE * 2))), timeout=60)
    reader = asyncio.create_task(read(answer))
    await asyncio.sleep(0.1)
    await answer.aclose()
    with pytest.raises(ConnectionReset, match="abandoned"):
        await asyncio.wait_for(reader, 10)


async def test_body_that_was_cancelled_elsewhere_ends_the_request(hostile, client):
    async def cancelled() -> AsyncIterator[bytes]:
        yield b"first"
        raise asyncio.CancelledError

    upstream = client(await hostile(forever()))
    with pytest.raises(ConnectionReset, match="cancelled"):
        await ask(upstream, "POST", body=cancelled(), timeout=60)


async def test_reset_while_sending_is_a_reset(hostile, client):
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.reader.readexactly(len(PIECE))
        peer.reset()

    upstream = client(await hostile(script))
    assert await fate_of(ask(upstream, "PUT", body=pieces(), timeout=60)) == (ConnectionReset, True)


async def test_empty_chunks_of_an_answer_do_not_end_its_stream(hostile, client):
    body = b"1\r\na\r\n" * 70_000
    answer = await get(client(await hostile(always(CHUNKED + body + b"0\r\n\r\n"))))
    assert await read(answer) == b"a" * 70_000
