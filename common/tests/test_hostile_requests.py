"""Malformed HTTP: always a 4xx problem, and the connection ends."""

import pytest

from tests.wire import connect, exchange, get, read
from tools.processes.service import Service

HOST = "Host: 127.0.0.1"
REFUSED = {
    "no request line": (b"NONSENSE\r\n\r\n", 400),
    "no version": (b"GET /health\r\nHost: 127.0.0.1\r\n\r\n", 400),
    "HTTP/2.0": (b"GET /health HTTP/2.0\r\nHost: 127.0.0.1\r\n\r\n", 400),
    "a lower-case method": (get("/health", method="get"), 400),
    "a space in the target": (get("/he alth"), 400),
    "a target with a control character": (get("/he\x01alth"), 400),
    "a target with raw UTF-8": (get("/h\xc3\xa9"), 400),
    "a target of another scheme": (get("https://127.0.0.1/"), 400),
    "a target that is a star": (get("*", method="OPTIONS"), 400),
    "a target that is an authority": (get("example.com:443", method="CONNECT"), 400),
    "two hosts": (get("/health", "Host: example.com"), 400),
    "a NUL in a value": (get("/health", "X-A: a\0b"), 400),
    "a bare CR in a value": (get("/health", "X-A: a\rb"), 400),
    "a field without a colon": (get("/health", "nonsense"), 400),
    "obsolete folding": (get("/health", "X-A: b", " folded"), 400),
    "bare LF": (b"GET /health HTTP/1.1\nHost: 127.0.0.1\n\n", 400),
    "bare LF after a field": (b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\nX-A: b\r\n\r\n", 400),
    "a header of 200 kB": (get("/health", "X-A: " + "a" * 200_000), 431),
    "111 fields as gateways add them": (get("/health", *(f"X-Forwarded-{n}: a" for n in range(110))), 431),
    "3,000 headers": (get("/health", *(f"X-{n}: a" for n in range(3000))), 431),
    "a URL of 200 kB": (get("/" + "a" * 200_000), 414),
    "a bad chunk": (get("/health", "Transfer-Encoding: chunked", method="POST") + b"zz\r\nab\r\n0\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 32 + b"\r\n\r\n", 400),
}


@pytest.mark.parametrize(("request_bytes", "status"), REFUSED.values(), ids=REFUSED.keys())
def test_the_parser_refuses_with_a_problem(site: Service, request_bytes: bytes, status: int) -> None:
    with connect(site.port) as connection:
        connection.sendall(request_bytes)
        answer = read(connection)
        assert connection.recv(65536) == b""  # closed, and not reset
    body = answer.json()
    assert answer.status == status
    assert answer.values("content-type") == ["application/problem+json"]
    assert answer.values("connection") == ["close"]
    assert answer.values("x-content-type-options") == ["nosniff"]
    assert (body["status"], body["code"]) == (status, "malformed-request")
    assert {"type", "title", "detail", "instance", "request_id"} <= body.keys()
    assert ("errors" in body) == (status == 400)


def test_the_instance_is_the_path_where_it_could_be_read(site: Service) -> None:
    request_bytes = get("/some/path?email=a@b.c", "Content-Length: +4", method="POST")
    assert exchange(site.port, request_bytes).json()["instance"] == "/some/path"


@pytest.mark.parametrize(
    "fields", [("X-A: " + "a" * 9000,), ("X-A: a\0b",), ("Content-Length: 4", "Transfer-Encoding: chunked")]
)
@pytest.mark.parametrize("target", ["/health", "/health?" + "a" * 9000])
def test_a_request_id_is_kept_at_any_position(site: Service, fields: tuple[str, ...], target: str) -> None:
    mine = "x-request-id:mine-1"
    for order in ((mine, *fields), (*fields, mine)):
        answer = exchange(site.port, get(target, *order))
        assert answer.status in {400, 414, 431}
        assert answer.values("x-request-id") == [answer.json()["request_id"]] == ["mine-1"]
        assert answer.json()["instance"] == "/health"


def test_what_looks_like_a_request_id_in_a_body_is_none(site: Service) -> None:
    body = b"\r\nX-Request-ID: body-1\r\n\r\n"
    answer = exchange(site.port, get("/health", "Content-Length: +4", method="POST") + body)
    assert answer.values("x-request-id") != ["body-1"]


@pytest.mark.parametrize("target", ["http://127.0.0.1/version", "HTTP://localhost:80/version?a=b"])
def test_an_absolute_target_is_served(site: Service, target: str) -> None:
    """RFC 9112 §3.2.2: its authority goes before the Host field, which may name anything."""
    request = get(target).replace(b"Host: 127.0.0.1", b"Host: example.com")
    assert exchange(site.port, request).json().keys() == exchange(site.port, get("/version")).json().keys()


@pytest.mark.parametrize("authority", ["example.com", "", "a@127.0.0.1"])
def test_an_absolute_target_of_another_host_is_400(site: Service, authority: str) -> None:
    answer = exchange(site.port, get(f"http://{authority}/version"))
    assert (answer.status, answer.json()["code"]) == (400, "malformed-request")
