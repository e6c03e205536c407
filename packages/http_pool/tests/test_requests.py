"""Requests on the wire, and requests that are refused."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from packages.http_pool import ConnectFailed, InvalidRequest, Limits, Upstream

from .hostile import Hostile, ask, forever, get


async def pieces(*bodies: bytes) -> AsyncIterator[bytes]:
    for body in bodies:
        yield body
        await asyncio.sleep(0)


@pytest.fixture
async def server(hostile) -> Hostile:
    return await hostile(forever())


async def test_request_arrives_as_given_and_host_is_the_urls(server, client):
    headers = [(b"Accept", b"*/*"), (b"X-A", b"1"), (b"x-a", b"\xe9"), (b"x-empty", b"")]
    await ask(client(server), "GET", headers, target=b"/a%20b?q=\xc3\xa9")
    seen = server.seen[0]
    assert seen.line == b"GET /a%20b?q=\xc3\xa9 HTTP/1.1"
    assert seen.headers == [(b"Host", server.url.removeprefix("http://").encode()), *headers]


@pytest.mark.parametrize(
    ("method", "body", "lengths"),
    [
        ("GET", b"", []),
        ("DELETE", b"", []),
        ("POST", b"", [b"0"]),
        ("PUT", b"", [b"0"]),
        ("PATCH", b"", [b"0"]),
        ("GET", b"body", [b"4"]),
        ("POST", b"b" * 100_000, [b"100000"]),
    ],
)
async def test_bytes_are_sent_with_their_length(server, client, method, body, lengths):
    await ask(client(server), method, body=body)
    assert server.seen[0].values(b"content-length") == lengths
    assert server.seen[0].values(b"transfer-encoding") == []
    assert server.seen[0].body == body


@pytest.mark.parametrize(
    ("body", "length", "codings", "lengths"),
    [
        ([b"ab", b"", b"c" * 20], None, [b"chunked"], []),
        ([b"ab", b"c"], 3, [], [b"3"]),
        ([], None, [b"chunked"], []),
        ([], 0, [], [b"0"]),
    ],
)
async def test_iterator_is_sent_chunked_or_with_its_length(server, client, body, length, codings, lengths):
    upstream = client(server)
    for _ in range(2):
        await ask(upstream, "POST", body=pieces(*body), length=length)
    assert server.opened == 1
    seen = server.seen[1]
    assert (seen.values(b"transfer-encoding"), seen.values(b"content-length")) == (codings, lengths)
    assert seen.body == b"".join(body)


@pytest.mark.parametrize("length", [1, 5, -1])
async def test_iterator_of_another_length_ends_the_request_and_its_connection(server, client, length):
    upstream = client(server)
    await get(upstream)
    with pytest.raises(InvalidRequest, match="length"):
        await ask(upstream, "POST", body=pieces(b"ab", b"c"), length=length)
    assert (await get(upstream)).body == b"ok"
    assert server.opened == (2 if length > 0 else 1)
    assert b"abc" not in [seen.body for seen in server.seen]


async def test_bytes_of_another_length_are_refused(server, client):
    with pytest.raises(InvalidRequest, match="length"):
        await ask(client(server), "POST", body=b"abc", length=2)
    assert server.opened == 0


async def test_an_exception_of_the_iterator_reaches_the_caller(server, client):
    async def breaks() -> AsyncIterator[bytes]:
        yield b"half"
        raise LookupError("the client went away")

    upstream = client(server)
    with pytest.raises(LookupError, match="the client went away"):
        await ask(upstream, "POST", body=breaks())
    assert (await get(upstream)).body == b"ok"
    assert server.opened == 2


@pytest.mark.parametrize(
    ("method", "target", "headers"),
    [
        ("GET", b"/", [(b"a", b"b\r\nEvil: yes")]),
        ("GET", b"/", [(b"a", b"b\nEvil: yes")]),
        ("GET", b"/", [(b"a", b"b\rc")]),
        ("GET", b"/", [(b"a", b"b\0c")]),
        ("GET", b"/", [(b"a\r\nEvil", b"yes")]),
        ("GET", b"/", [(b"a: b", b"c")]),
        ("GET", b"/", [(b"a ", b"c")]),
        ("GET", b"/", [(b"", b"c")]),
        ("GET", b"/", [(b"Host", b"elsewhere")]),
        ("GET", b"/", [(b"content-length", b"5")]),
        ("GET", b"/", [(b"Transfer-Encoding", b"chunked")]),
        ("GET", b"/", [(b"connection", b"close")]),
        ("GET", b"/a b", []),
        ("GET", b"/a\r\nEvil: yes", []),
        ("GET", b"/\0", []),
        ("GET", b"/\x0b", []),
        ("GET", b"", []),
        ("GET / HTTP/1.1\r\nEvil:", b"/", []),
        ("", b"/", []),
        ("CONNECT", b"host:443", []),
    ],
)
async def test_request_that_could_be_read_as_another_is_refused(server, client, method, target, headers):
    upstream = client(server)
    for _ in range(2):  # the second time it is no longer a new name
        with pytest.raises(InvalidRequest):
            await ask(upstream, method, headers, target=target)
    assert server.opened == 0


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:3001",
        "ftp://host",
        "http://",
        "http://host/base",
        "http://host?q",
        "http://u:p@host",
        "http://a b",
    ],
)
def test_url_that_is_not_an_origin_is_refused(url):
    with pytest.raises(ValueError, match="URL"):
        Upstream(url, Limits(connect_timeout=1))


def test_upstream_belongs_to_one_loop():
    upstream = Upstream("http://127.0.0.1:9", Limits(connect_timeout=1))

    with pytest.raises(ConnectFailed):
        asyncio.run(get(upstream, timeout=1))
    with pytest.raises(RuntimeError, match="one event loop"):
        asyncio.run(get(upstream, timeout=1))
