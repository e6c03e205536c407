"""Malformed, surplus and ambiguous answers are refused, and their connection is closed."""

import asyncio
from functools import partial

import pytest

from packages.http_pool import BadAnswer, Outgoing

from .hostile import OK, Peer, always, ask, eventually, get, once, read

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n"
GARBAGE = {
    "no HTTP at all": b"SSH-2.0-OpenSSH_9.6\r\n",
    "a request": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "HTTP/2": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "an upgrade": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "a bare 101": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "status 099": b"HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n",
    "status 600": b"HTTP/1.1 600 High\r\nContent-Length: 0\r\n\r\n",
    "status of four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    "obsolete folding": HEAD + b"A: b\r\n c\r\nContent-Length: 2\r\n\r\nok",
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "bare LF in the head": HEAD + b"A: b\nContent-Length: 2\r\n\r\nok",
    "bare CR": HEAD + b"A: b\rc: d\r\nContent-Length: 2\r\n\r\nok",
    "NUL in a value": HEAD + b"A: b\0c\r\nContent-Length: 2\r\n\r\nok",
    "space before the colon": HEAD + b"Content-Length : 2\r\n\r\nok",
    "two lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "a list of lengths": HEAD + b"Content-Length: 2, 3\r\n\r\nok",
    "a signed length": HEAD + b"Content-Length: +2\r\n\r\nok",
    "a length out of range": HEAD + b"Content-Length: 99999999999999999999\r\n\r\nok",
    "length and coding": CHUNKED + b"Content-Length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "coding and length": HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "another coding": HEAD + b"Transfer-Encoding: gzip\r\n\r\nok",
    "another coding, then chunked": HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "chunked twice": CHUNKED + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "chunked in HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "chunk size 0x2": CHUNKED + b"\r\n0x2\r\nok\r\n0\r\n\r\n",
    "negative chunk size": CHUNKED + b"\r\n-2\r\nok\r\n0\r\n\r\n",
    "chunk size out of range": CHUNKED + b"\r\nffffffffffffffffff\r\nok\r\n0\r\n\r\n",
    "chunk longer than its size": CHUNKED + b"\r\n2\r\nokay\r\n0\r\n\r\n",
    "chunk ended by LF": CHUNKED + b"\r\n2\nok\n0\n\n",
    "two answers": OK + OK,
    "half a second answer": OK + b"HTTP/1.1 2",
    "bytes after the answer": OK + b"more",
    "bytes after a last answer": HEAD + b"Connection: close\r\nContent-Length: 2\r\n\r\nokay",
    "a body with 204": b"HTTP/1.1 204 No Content\r\n\r\nbody",
    "oversize head": HEAD + b"A: " + b"x" * 70_000 + b"\r\nContent-Length: 0\r\n\r\n",
    "oversize head of many fields": HEAD + b"A: b\r\n" * 20_000 + b"Content-Length: 0\r\n\r\n",
    "endless head": HEAD + b"A: " + b"x" * 70_000,
    "endless informational answers": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 3_000,
    "endless trailers": CHUNKED + b"\r\n0\r\nA: " + b"x" * 70_000,
    "endless chunk extension": CHUNKED + b"\r\n2;" + b"x" * 70_000,
}


@pytest.mark.parametrize("wire", GARBAGE.values(), ids=GARBAGE.keys())
async def test_garbage_is_a_bad_answer(hostile, client, wire):
    server = await hostile(once(wire))
    upstream = client(server)
    with pytest.raises(BadAnswer) as caught:
        await get(upstream)
    assert caught.value.sent
    assert server.url.removeprefix("http://") in str(caught.value)
    await eventually(lambda: upstream.stats == (0, 0, 0))
    assert len(server.seen) == 1, "a bad answer is not retried"


@pytest.mark.parametrize("protocol", [b"chat", b"websocket, chat", b"websocket\r\nUpgrade: chat"])
async def test_an_upgrade_to_another_protocol_is_a_bad_answer(hostile, client, protocol):
    switched = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %b\r\n\r\n"
    server = await hostile(always(switched % protocol))
    with pytest.raises(BadAnswer):
        await client(server).request(Outgoing("GET", b"/", [], idle=5, upgrades=True), 5)


@pytest.mark.parametrize(
    "surplus", [b"Content-Length: 2\r\n\r\nok", b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"\r\nok"]
)
async def test_body_after_head_is_a_bad_answer(hostile, client, surplus):
    with pytest.raises(BadAnswer):
        await ask(client(await hostile(once(HEAD + surplus))), "HEAD")


async def test_late_second_answer_never_meets_the_next_request(hostile, client):
    sent = asyncio.Event()

    async def script(peer: Peer) -> None:
        if peer.number == 1:
            await peer.answer(OK)
            await asyncio.sleep(0.05)
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
            sent.set()
            await peer.until_closed()
        await peer.answer(OK)

    server = await hostile(script)
    upstream = client(server)
    assert (await get(upstream)).body == b"ok"
    await sent.wait()
    await eventually(lambda: upstream.stats.open == 0)
    assert (await get(upstream)).body == b"ok"
    assert server.opened == 2


once_and_resets = partial(once, pause=0.05, resets=True)  # without the pause RST overtakes what was sent
TRUNCATED = {
    "in the status line": b"HTTP/1.1 20",
    "in the head": HEAD + b"Content-",
    "after an informational answer": b"HTTP/1.1 103 Early Hints\r\n\r\n",
    "in the body": HEAD + b"Content-Length: 10\r\n\r\nhalf",
    "before the body": HEAD + b"Content-Length: 10\r\n\r\n",
    "in the body of a last answer": HEAD + b"Connection: close\r\nContent-Length: 10\r\n\r\nhalf",
    "in a chunk of a last answer": CHUNKED + b"Connection: close\r\n\r\n5\r\nab",
    "in a chunk": CHUNKED + b"\r\n5\r\nab",
    "before the last chunk": CHUNKED + b"\r\n2\r\nab\r\n",
}


@pytest.mark.parametrize("sends", [always, once_and_resets])
@pytest.mark.parametrize("wire", TRUNCATED.values(), ids=TRUNCATED.keys())
async def test_truncated_answer_is_a_bad_answer(hostile, client, wire, sends):
    with pytest.raises(BadAnswer, match="within the answer"):
        await get(client(await hostile(sends(wire))))


@pytest.mark.parametrize("head", [b"Content-Length: 1000000\r\n\r\n", b"\r\n"])
async def test_reset_within_a_stream_is_raised_to_the_reader(hostile, client, head):
    answer = await get(client(await hostile(once_and_resets(HEAD + head + b"x" * 100_000))))
    assert answer.body is None
    with pytest.raises(BadAnswer):
        await read(answer)


async def test_surplus_after_a_stream_is_raised_to_its_reader(hostile, client):
    first = HEAD + b"Content-Length: 100000\r\n\r\n" + b"x" * 99_999
    answer = await get(client(await hostile(once(first, b"x" + OK, pause=0.1))))
    with pytest.raises(BadAnswer, match="more bytes than one answer"):
        await read(answer)
