"""Requests on the wire, and requests that are refused."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from packages.http_pool import ConnectFailed, Limits, Upstream, _request

from .hostile import Hostile, forever


async def pieces(*bodies: bytes) -> AsyncIterator[bytes]:
    for body in bodies:
        yield body
        await asyncio.sleep(0)


@pytest.fixture
async def server(hostile) -> Hostile:
    return await hostile(forever())


async def test_request_arrives_as_given_and_host_is_the_urls(server, client):
    headers = [(b"Accept", b"*/*"), (b"X-A", b"1"), (b"x-a", b"\xe9"), (b"x-empty", b"")]
    await client(server).request(b"GET", b"/a%20b?q=\xc3\xa9", headers, timeout=5)
    seen = server.seen[0]
    assert seen.line == b"GET /a%20b?q=\xc3\xa9 HTTP/1.1"
    assert seen.headers == [(b"Host", server.url.removeprefix("http://").encode()), *headers]


@pytest.mark.parametrize(
    ("method", "body", "lengths"),
    [
        (b"GET", b"", []),
        (b"DELETE", b"", []),
        (b"POST", b"", [b"0"]),
        (b"PUT", b"", [b"0"]),
        (b"PATCH", b"", [b"0"]),
        (b"GET", b"body", [b"4"]),
        (b"POST", b"b" * 100_000, [b"100000"]),
    ],
)
async def test_bytes_are_sent_with_their_length(server, client, method, body, lengths):
    await client(server).request(method, b"/", [], body, timeout=5)
    assert server.seen[0].values(b"content-length") == lengths
    assert server.seen[0].values(b"transfer-encoding") == []
    assert server.seen[0].body == body


async def test_iterator_is_sent_chunked(server, client):
    upstream = client(server)
    for _ in range(2):
        await upstream.request(b"POST", b"/", [], pieces(b"ab", b"", b"c" * 20), timeout=5)
    assert server.connections == 1
    assert server.seen[1].values(b"transfer-encoding") == [b"chunked"]
    assert server.seen[1].values(b"content-length") == []
    assert server.seen[1].body == b"ab" + b"c" * 20


async def test_iterator_of_known_length_is_sent_as_it_is(server, client):
    upstream = client(server)
    for _ in range(2):
        await upstream.request(b"PUT", b"/", [], pieces(b"ab", b"c"), content_length=3, timeout=5)
    assert server.connections == 1
    assert server.seen[1].values(b"content-length") == [b"3"]
    assert server.seen[1].body == b"abc"


async def test_empty_iterator_is_an_empty_body(server, client):
    upstream = client(server)
    await upstream.request(b"POST", b"/", [], pieces(), timeout=5)
    await upstream.request(b"POST", b"/", [], pieces(), content_length=0, timeout=5)
    assert [seen.body for seen in server.seen] == [b"", b""]


@pytest.mark.parametrize("length", [1, 5, -1])
async def test_iterator_of_another_length_ends_the_request_and_its_connection(server, client, length):
    upstream = client(server)
    await upstream.request(b"GET", b"/", [], timeout=5)
    with pytest.raises(ValueError, match="content_length"):
        await upstream.request(b"POST", b"/", [], pieces(b"ab", b"c"), content_length=length, timeout=5)
    assert (await upstream.request(b"GET", b"/", [], timeout=5)).body == b"ok"
    assert server.connections == (2 if length > 0 else 1)
    assert b"abc" not in [seen.body for seen in server.seen]


async def test_bytes_of_another_length_are_refused(server, client):
    with pytest.raises(ValueError, match="content_length"):
        await client(server).request(b"POST", b"/", [], b"abc", content_length=2, timeout=5)
    assert server.connections == 0


async def test_an_exception_of_the_iterator_reaches_the_caller(server, client):
    async def breaks() -> AsyncIterator[bytes]:
        yield b"half"
        raise LookupError("the client went away")

    upstream = client(server)
    with pytest.raises(LookupError, match="the client went away"):
        await upstream.request(b"POST", b"/", [], breaks(), timeout=5)
    assert (await upstream.request(b"GET", b"/", [], timeout=5)).body == b"ok"
    assert server.connections == 2


@pytest.mark.parametrize(
    ("method", "target", "headers"),
    [
        (b"GET", b"/", [(b"a", b"b\r\nEvil: yes")]),
        (b"GET", b"/", [(b"a", b"b\nEvil: yes")]),
        (b"GET", b"/", [(b"a", b"b\rc")]),
        (b"GET", b"/", [(b"a", b"b\0c")]),
        (b"GET", b"/", [(b"a\r\nEvil", b"yes")]),
        (b"GET", b"/", [(b"a: b", b"c")]),
        (b"GET", b"/", [(b"a ", b"c")]),
        (b"GET", b"/", [(b"", b"c")]),
        (b"GET", b"/", [(b"Host", b"elsewhere")]),
        (b"GET", b"/", [(b"content-length", b"5")]),
        (b"GET", b"/", [(b"Transfer-Encoding", b"chunked")]),
        (b"GET", b"/", [(b"connection", b"close")]),
        (b"GET", b"/a b", []),
        (b"GET", b"/a\r\nEvil: yes", []),
        (b"GET", b"/\0", []),
        (b"GET", b"/\x0b", []),
        (b"GET", b"", []),
        (b"GET / HTTP/1.1\r\nEvil:", b"/", []),
        (b"", b"/", []),
        (b"CONNECT", b"host:443", []),
    ],
)
async def test_request_that_could_be_read_as_another_is_refused(server, client, method, target, headers):
    upstream = client(server)
    for _ in range(2):  # the second time it is no longer a new name
        with pytest.raises(ValueError):  # noqa: PT011 each has its own words
            await upstream.request(method, target, headers, timeout=5)
    assert server.connections == 0


async def test_the_cache_of_field_names_is_bounded(server, client):
    headers = [(b"x-%d" % number, b"v") for number in range(2000)]
    await client(server).request(b"GET", b"/", headers, timeout=5)
    assert server.seen[0].headers[1:] == headers
    assert len(_request._known_prefixes) <= 1024


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
        asyncio.run(upstream.request(b"GET", b"/", [], timeout=1))
    with pytest.raises(RuntimeError, match="one event loop"):
        asyncio.run(upstream.request(b"GET", b"/", [], timeout=1))
