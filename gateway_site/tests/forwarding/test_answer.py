"""The client gets the upstream's answer as it arrived, without the fields of one connection."""

import hashlib
import http.client
import socket

import pytest
import requests

from gateway_site.tests.forwarding.test_request import resident
from tests.log_lines import access_lines
from tests.recording import Received, Recording
from tests.serving import serving
from tests.wire import connect, exchange, get, read
from tools.processes.service import Service


def answer(status: str, *fields: str, body: bytes = b"") -> bytes:
    """An upstream's answer."""
    return ("\r\n".join([f"HTTP/1.1 {status}", *fields]) + "\r\n\r\n").encode("latin-1") + body


@pytest.mark.parametrize(
    "status", [200, 201, 202, 206, 301, 400, 404, 409, 412, 418, 422, 429, 451, 500, 501, 502, 503, 599]
)
def test_status_and_body_are_the_upstreams(gateway: Service, upstream: Recording, status: int) -> None:
    upstream.default = answer(f"{status} Whatever", "Content-Length: 4", body=b"\xff\0{\n")
    got = exchange(gateway.port, get("/api/users"))
    assert (got.status, got.body) == (status, b"\xff\0{\n")


def test_fields_cross_with_their_order_and_repeats_but_not_those_of_the_connection(
    gateway: Service, upstream: Recording
) -> None:
    kept = ["set-cookie: a=1; Path=/", 'etag: "x"', "set-cookie: b=2", "x-latin: \xe9", "location: /a", "vary: A, B"]
    dropped = ["Connection: X-Mine", "X-Mine: a", "Keep-Alive: timeout=5", "Proxy-Authenticate: Basic", "Upgrade: h2c"]
    upstream.default = answer("200 OK", *dropped, *kept, "Trailer: X", "Content-Length: 0")
    got = exchange(gateway.port, get("/api/users"))
    ours = {"date", "content-length", "x-request-id", "cache-control", "x-content-type-options"}
    assert [f"{name}: {value}" for name, value in got.headers if name not in ours] == kept


@pytest.mark.parametrize("own", [False, True])
def test_hardening_is_added_where_there_is_none(gateway: Service, upstream: Recording, own: bool) -> None:
    fields = ["Cache-Control: max-age=5", "X-Content-Type-Options: other"] if own else []
    upstream.default = answer("200 OK", "Content-Length: 0", *fields)
    got = exchange(gateway.port, get("/api/users"))
    expected = (["max-age=5"], ["other"]) if own else (["no-store"], ["nosniff"])
    assert (got.values("cache-control"), got.values("x-content-type-options")) == expected


@pytest.mark.parametrize("theirs", [["mine"], ["theirs"], []])
def test_the_request_id_is_ours_and_on_the_answer_once(
    gateway: Service, upstream: Recording, theirs: list[str]
) -> None:
    upstream.default = answer("200 OK", "Content-Length: 0", *(f"X-Request-ID: {value}" for value in theirs))
    assert exchange(gateway.port, get("/api/users", "X-Request-ID: mine")).values("x-request-id") == ["mine"]


def test_head_has_the_length_and_no_body(gateway: Service, upstream: Recording) -> None:
    upstream.default = answer("200 OK", "Content-Length: 1234", 'ETag: "x"')
    got = exchange(gateway.port, get("/api/users", method="HEAD"), "HEAD")
    assert (got.status, got.body, got.values("content-length"), got.values("etag")) == (200, b"", ["1234"], ['"x"'])


@pytest.mark.parametrize("status", ["204 No Content", "204 No Content\r\nContent-Length: 0", "304 Not Modified"])
def test_an_answer_without_a_body_has_none(gateway: Service, upstream: Recording, status: str) -> None:
    upstream.default = answer(status, 'ETag: "x"')
    got = exchange(gateway.port, get("/api/users") + get("/version", "Connection: close"))
    assert (str(got.status), got.body, got.values("etag")) == (status[:3], b"", ['"x"'])
    assert got.values("transfer-encoding") + got.values("content-length") == []


@pytest.mark.parametrize(("version", "framing"), [(b"HTTP/1.1", ["chunked"]), (b"HTTP/1.0", [])])
def test_a_chunked_answer_arrives_whole(
    gateway: Service, upstream: Recording, version: bytes, framing: list[str]
) -> None:
    size = 3_000_000  # too large to be held back until it is whole
    body = b"%x\r\n%b\r\n3\r\nabc\r\n0\r\n\r\n" % (size, b"x" * size)
    upstream.default = answer("200 OK", "Transfer-Encoding: chunked", body=body)
    got = exchange(gateway.port, get("/api/users").replace(b"HTTP/1.1", version))
    assert got.body == b"x" * size + b"abc"
    assert got.values("transfer-encoding") == framing


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_large_answer_streams_through(gateway: Service, upstream: Recording, framing: str) -> None:
    piece, pieces = bytes(range(256)) * 256, 320  # 20 MiB
    head, framed, end = f"Content-Length: {len(piece) * pieces}", piece, b""
    if framing == "chunked":
        head, framed, end = "Transfer-Encoding: chunked", b"%x\r\n%b\r\n" % (len(piece), piece), b"0\r\n\r\n"

    def reply(request: Received, connection: socket.socket) -> None:
        connection.sendall(answer("200 OK", head))
        for _ in range(pieces):
            connection.sendall(framed)
        connection.sendall(end)

    upstream.default = reply
    before = resident(gateway)
    with requests.get(f"{gateway.url}/api/users", stream=True, timeout=15) as got:
        digest = hashlib.sha256()
        for chunk in got.iter_content(len(piece)):
            digest.update(chunk)
    assert digest.digest() == hashlib.sha256(piece * pieces).digest()
    assert resident(gateway) - before < 8 << 20


def test_an_answer_larger_than_the_bound_is_502_or_broken_off(upstream: Recording) -> None:
    most = 1 << 20
    with serving("gateway_site", USER_SERVICE_URL=upstream.url, MAX_ANSWER_BYTES=str(most)) as gateway:
        for size, status in ((most, 200), (most + 1, 502)):
            upstream.default = answer("200 OK", f"Content-Length: {size}", body=b"x" * size)
            assert exchange(gateway.port, get("/api/users")).status == status
        chunks = 5 * (b"%x\r\n%b\r\n" % (most, b"x" * most)) + b"0\r\n\r\n"
        upstream.default = answer("200 OK", "Transfer-Encoding: chunked", body=chunks)
        with connect(gateway.port) as connection:
            connection.sendall(get("/api/users", "X-Request-ID: too-large"))
            with pytest.raises((http.client.IncompleteRead, ConnectionError)):
                read(connection)
        (line,) = access_lines(gateway, "too-large")
    assert (line["status_code"], line["bytes_sent"] <= most) == (502, True)
