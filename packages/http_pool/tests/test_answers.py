"""Answers in every framing of HTTP/1."""

import pytest

from .hostile import OK, Peer, always, ask, forever, get, read

LARGE = bytes(range(256)) * 1024  # 256 KiB


async def test_answer_is_whole_and_its_headers_keep_their_order(hostile, client):
    head = b"HTTP/1.1 201 Created\r\nSet-Cookie: b\r\nContent-Length: 5\r\nset-cookie: a \t\r\nSet-Cookie: b\r\n\r\n"
    answer = await get(client(await hostile(forever(head + b"hello"))))
    assert (answer.status, answer.body) == (201, b"hello")
    cookies = [(b"set-cookie", value) for value in (b"b", b"a", b"b")]
    assert answer.headers == [cookies[0], (b"content-length", b"5"), *cookies[1:]]
    assert await read(answer) == b"hello"


async def test_chunked_answer_is_joined_and_its_trailers_dropped(hostile, client):
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3;x=1\r\nabc\r\n2\r\nde\r\n0\r\nT: trailer\r\n\r\n"
    server = await hostile(forever(chunked))
    upstream = client(server)
    for _ in range(2):
        answer = await get(upstream)
        assert answer.body == b"abcde"
        assert answer.headers == [(b"transfer-encoding", b"Chunked")]
    assert server.opened == 1


@pytest.mark.parametrize(("body", "is_streamed"), [(b"all of it", False), (LARGE, True)])
async def test_answer_until_close_is_whole(hostile, client, body, is_streamed):
    upstream = client(await hostile(always(b"HTTP/1.1 200 OK\r\n\r\n" + body)))
    answer = await get(upstream)
    assert (answer.body is None) is is_streamed
    assert await read(answer) == body
    assert upstream.stats.idle == 0


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
    ],
)
async def test_head_answer_has_no_body_whatever_it_announces(hostile, client, head):
    async def script(peer: Peer) -> None:
        while True:
            seen = await peer.request()
            await peer.send(head if seen.line.startswith(b"HEAD") else OK)

    upstream = client(await hostile(script))
    for _ in range(2):
        answer = await ask(upstream, "HEAD")
        assert (answer.status, answer.body) == (200, b"")
        assert (await get(upstream)).body == b"ok"


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\n\r\n",
    ],
)
async def test_204_and_304_have_no_body_and_keep_the_connection(hostile, client, head):
    server = await hostile(forever(head))
    upstream = client(server)
    for _ in range(2):
        assert (await get(upstream)).body == b""
    assert server.opened == 1


async def test_informational_answers_are_skipped(hostile, client):
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    server = await hostile(forever(early + b"HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 2\r\n\r\nok"))
    upstream = client(server)
    for _ in range(2):
        answer = await get(upstream)
        assert (answer.status, answer.body) == (200, b"ok")
        assert answer.headers == [(b"a", b"b"), (b"content-length", b"2")]
    assert server.opened == 1


@pytest.mark.parametrize(
    ("head", "connections"),
    [
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n", 2),
        (b"HTTP/1.1 200 OK\r\nConnection: x, Close\r\n", 2),
        (b"HTTP/1.0 200 OK\r\n", 2),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n", 1),
    ],
)
async def test_connection_is_kept_only_if_the_answer_agrees(hostile, client, head, connections):
    server = await hostile(forever(head + b"Content-Length: 2\r\n\r\nok"))
    upstream = client(server)
    for _ in range(2):
        assert (await get(upstream)).body == b"ok"
    assert server.opened == connections
