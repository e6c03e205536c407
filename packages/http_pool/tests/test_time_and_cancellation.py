"""Every wait ends at the request's deadline, or when its caller is cancelled; sending ends with the answer."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from packages.http_pool import UpstreamTimeout
from packages.http_pool._parser import AnswerParser

from .hostile import OK, Peer, ask, eventually, fate_of, forever, get, once, read

pytestmark = pytest.mark.slow

SIZE = 64 * 1024 * 1024
REFUSED = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\n\r\nlong"
BODY_OF_100 = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"


async def unread(peer: Peer) -> None:
    await peer.head()
    await asyncio.sleep(3600)


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b"x" * 65536


@pytest.mark.parametrize("script", [once(BODY_OF_100, *[b"x"] * 100, pause=0.1), once()], ids=["drips", "is silent"])
async def test_answer_that_does_not_end_in_time_is_a_timeout(hostile, client, script):
    upstream = client(await hostile(script))
    assert await fate_of(get(upstream, timeout=0.3)) == (UpstreamTimeout, True)
    await eventually(lambda: upstream.stats == (0, 0, 0))


async def test_request_to_a_server_that_does_not_read_is_a_timeout(hostile, client):
    upstream = client(await hostile(unread))
    with pytest.raises(UpstreamTimeout):
        await ask(upstream, "PUT", body=endless(), timeout=0.3)
    await eventually(lambda: upstream.stats.open == 0)


@pytest.mark.parametrize("reads", [True, False])
async def test_stream_ends_at_the_requests_deadline(hostile, client, reads):
    upstream = client(await hostile(once(BODY_OF_100.replace(b"100", b"1000000") + b"x" * 100_000)))
    answer = await get(upstream, timeout=0.5)
    if not reads:
        await eventually(lambda: upstream.stats.open == 0)
    with pytest.raises(UpstreamTimeout):
        await read(answer)
    assert upstream.stats.idle == 0


@pytest.mark.parametrize("left", [0.0, -1.0])
async def test_no_time_left_is_a_timeout_before_anything_is_sent(hostile, client, left):
    server = await hostile(forever())
    assert await fate_of(get(client(server), timeout=left)) == (UpstreamTimeout, False)
    assert server.opened == 0


async def test_each_request_has_its_own_deadline(hostile, client):
    """The connection keeps one timer: a later request may end before it, or long after."""

    async def script(peer: Peer) -> None:
        await peer.answer(OK)
        await peer.request()
        await asyncio.sleep(0.6)
        await peer.send(OK)
        await peer.answer(OK, OK)
        await peer.until_closed()

    server = await hostile(script)
    upstream = client(server)
    await get(upstream, timeout=0.3)
    assert (await get(upstream, timeout=30)).body == b"ok"
    await get(upstream, timeout=0.1)
    await asyncio.sleep(0.3)
    assert upstream.stats == (1, 1, 0), "a timer that fires on an idle connection leaves it"
    await get(upstream, timeout=60)
    with pytest.raises(UpstreamTimeout):
        await asyncio.wait_for(get(upstream, timeout=0.2), 10)
    assert server.opened == 1


async def test_deadline_beyond_the_timer_that_is_set_holds_too(hostile, client):
    async def script(peer: Peer) -> None:
        await peer.answer(OK)
        await peer.until_closed()

    upstream = client(await hostile(script))
    await get(upstream, timeout=0.2)
    with pytest.raises(UpstreamTimeout):
        await asyncio.wait_for(get(upstream, timeout=0.5), 10)


async def test_cancelled_request_closes_its_connection(hostile, client):
    async def script(peer: Peer) -> None:
        await peer.request()
        if peer.number > 1:
            await peer.send(OK)
        await peer.until_closed()

    server = await hostile(script)
    upstream = client(server, max_connections=1)
    task = asyncio.create_task(get(upstream, b"/first"))
    await eventually(lambda: len(server.seen) == 1)
    task.cancel()
    assert (await get(upstream)).body == b"ok"
    await eventually(lambda: server.open == 1)
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("first", ["cancellation", "answer"])
@pytest.mark.parametrize("outcome", ["whole", "stream", "failure"])
async def test_cancelled_as_its_answer_arrives(hostile, client, monkeypatch, outcome, first):
    """A complete answer leaves a clean connection; an unread stream or a failure closes it."""
    size = 100 if outcome == "whole" else 100_000

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(BODY_OF_100.replace(b"100", b"%d" % size) + b"x" * (size - 1))
        await peer.send(b"\0" if outcome == "failure" else b"x" if outcome == "whole" else b"")
        await forever()(peer)

    broken: list[dict] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: broken.append(context))
    server = await hostile(script)
    upstream = client(server)
    task = asyncio.create_task(get(upstream))
    feed = AnswerParser.feed

    def cancel_first(parser: AnswerParser, data: bytes) -> None:
        if first == "cancellation":
            task.cancel()
        else:  # runs before the task gets its answer
            asyncio.get_running_loop().call_soon(task.cancel)
        feed(parser, b"no HTTP" if outcome == "failure" else data)

    monkeypatch.setattr(AnswerParser, "feed", cancel_first)
    with pytest.raises(asyncio.CancelledError):
        await task
    monkeypatch.undo()
    assert not broken, "a callback of the transport raised"
    if outcome == "whole" and upstream.stats.idle:
        assert (await get(upstream)).body == b"ok"
        assert server.opened == 1
    else:
        await eventually(lambda: upstream.stats == (0, 0, 0))


# ---- an answer before the request was sent


@pytest.mark.parametrize("kind", ["chunked", "sized", "bytes"])
async def test_answer_before_the_body_was_sent_ends_the_sending(hostile, client, kind):
    upstream = client(
        await hostile(once(REFUSED, pause=0.2))
    )  # meanwhile it reads nothing: the body is stuck on its way
    body = bytes(SIZE) if kind == "bytes" else endless()
    length = SIZE if kind == "sized" else None
    answer = await ask(upstream, "POST", body=body, length=length, timeout=60)
    assert (answer.status, answer.body) == (413, b"long")
    await eventually(lambda: upstream.stats.open == 0)


async def test_refusal_of_a_server_that_closes_with_unread_data_arrives(hostile, client):
    """The kernel sends RST behind the answer: in 413 the client reads the reason, in 502 nothing."""

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(REFUSED)

    upstream = client(await hostile(script))
    answer = await ask(upstream, "POST", body=b"x" * 100_000, timeout=60)
    assert answer.status == 413


@pytest.mark.parametrize("is_answered", [True, False])
async def test_request_that_ends_before_its_body_releases_it(hostile, client, is_answered):
    left = asyncio.Event()

    async def stalls() -> AsyncIterator[bytes]:
        try:
            yield b"first"
            await asyncio.sleep(3600)
        finally:
            left.set()

    server = await hostile(once(REFUSED) if is_answered else once())
    upstream = client(server)
    task = asyncio.create_task(ask(upstream, "POST", body=stalls(), timeout=60))
    await eventually(lambda: len(server.seen) == 1)
    if is_answered:
        assert (await task).status == 413
    else:
        task.cancel()
    await asyncio.wait_for(left.wait(), 10)
    await eventually(lambda: upstream.stats.open == 0)
