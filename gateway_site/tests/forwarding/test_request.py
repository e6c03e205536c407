"""The upstream gets the request as it arrived, without the fields of one connection."""

import os

import pytest
import requests

from tests.log_lines import access_lines
from tests.metrics import sample
from tests.recording import Recording, wait_for_close
from tests.wire import connect, exchange, get
from tools.processes.service import Service

TARGETS = [
    "/users",
    "/users?",
    "/users?limit=1&limit=2&email=a%40b.c",
    "/users?a=%2F%00%ff&b=+%20&=&&",
    '/users?q={}[]|^`"<>\\',
    "/users?next=http://example.com/?x=1",
    "/users/01900000-0000-7000-8000-000000000000",
    "/users/%00",
    "/users/%C3%A9%e2%82%ac",
    "/users/a%20b;v=1,2@:!$&'()*+=~",
    "/users/..",
    "/users/%2e%2e",
    "/users/" + "x" * 3000,
]


@pytest.mark.parametrize("target", TARGETS)
def test_the_target_is_forwarded_byte_for_byte(gateway: Service, upstream: Recording, target: str) -> None:
    assert exchange(gateway.port, get("/api" + target)).status == 200
    expected = target.removesuffix("?")  # the server drops an empty query
    assert upstream.next().line == f"GET {expected} HTTP/1.1".encode("latin-1")


@pytest.mark.parametrize(
    "method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "BREW", "M-SEARCH"]
)
def test_any_method_is_forwarded(gateway: Service, upstream: Recording, method: str) -> None:
    assert exchange(gateway.port, get("/api/users", method=method), method).status == 200
    assert upstream.next().line == f"{method} /users HTTP/1.1".encode()


def test_connect_is_not(gateway: Service, upstream: Recording) -> None:
    answer = exchange(gateway.port, get("/api/users", method="CONNECT"))
    assert (answer.status, answer.json()["code"]) == (405, "method-not-allowed")
    assert upstream.received.empty()


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"{",
        b"",
        b"\xff\xfe\0\r\n\r\n",
        b"[" * 20_000,
        b'{"a": NaN, "b": "\\ud800"}',
        os.urandom(70_000),
        os.urandom(300_000),
    ],
    ids=["json", "broken json", "empty", "binary", "nested", "nan", "70 kB", "300 kB"],
)
@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_the_body_is_forwarded_unread(gateway: Service, upstream: Recording, method: str, body: bytes) -> None:
    head = get("/api/users", "Content-Type: text/whatever", f"Content-Length: {len(body)}", method=method)
    assert exchange(gateway.port, head + body).status == 200
    received = upstream.next()
    assert received.body == body
    assert received.values(b"content-type") == [b"text/whatever"]


def test_a_chunked_body_stays_chunked(gateway: Service, upstream: Recording) -> None:
    chunks = b"3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nX-Trailer: 1\r\n\r\n"
    assert exchange(gateway.port, get("/api/users", "Transfer-Encoding: chunked", method="POST") + chunks).status == 200
    received = upstream.next()
    assert received.body == b"abcdefg"
    assert received.values(b"transfer-encoding") == [b"chunked"]
    assert received.values(b"content-length") == []


def test_fields_cross_with_their_order_repeats_and_bytes(gateway: Service, upstream: Recording) -> None:
    fields = [
        "accept: a/b",
        "x-same: 1",
        "cookie: a=b",
        "x-same: 2",
        "x-latin: \xe9",
        "x-empty: ",
        "traceparent: 00-0af7-b7ad-01",
        'if-match: "x", W/"y"',
    ]
    exchange(gateway.port, get("/api/users", *fields))
    received = [b": ".join(field).decode("latin-1") for field in upstream.next().fields]
    assert [field for field in received if not field.startswith(("x-forwarded", "x-request-", "host"))] == fields


def test_a_large_body_streams_through(gateway: Service, upstream: Recording) -> None:
    body = os.urandom(1 << 20) * 20
    before = resident(gateway)
    assert requests.post(f"{gateway.url}/api/users", data=body, timeout=15).status_code == 200
    assert upstream.next().body == body
    assert resident(gateway) - before < 8 << 20


def test_a_body_above_the_limit_never_reaches_the_upstream(gateway: Service, upstream: Recording) -> None:
    for length in (67108865, 2**64 - 1):
        answer = exchange(gateway.port, get("/api/users", f"Content-Length: {length}", method="POST"))
        problem = answer.json()
        assert (answer.status, problem["code"], problem["instance"]) == (413, "body-too-large", "/api/users")
    assert upstream.received.empty()


def test_a_disconnected_client_ends_the_upstream_request(gateway: Service, upstream: Recording) -> None:
    upstream.default = wait_for_close
    with connect(gateway.port) as client:
        client.sendall(get("/api/users", "X-Request-ID: left"))
        received = upstream.next()
    assert received.closed.wait(10)
    (line,) = access_lines(gateway, "left")
    assert line["status_code"] == 499, "the time-out ended it"


def resident(gateway: Service) -> float:
    """Bytes of memory of the worker."""
    return sample(gateway, "process_resident_memory_bytes") or 0.0
