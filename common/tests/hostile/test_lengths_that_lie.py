"""Bodies that are shorter or longer than their head says."""

import socket
import time

import pytest

from common.tests.hostile.target import POST, SMUGGLED, Target, statuses
from tests.site import COLLECTION


def test_bytes_after_the_body_are_the_next_request_and_refused_if_malformed(target: Target) -> None:
    answers, closed = target.all_answers(POST + b"Content-Length: 2\r\n\r\n{}" + b"more than was said\r\n\r\n")
    assert closed
    assert statuses(answers) == [200, 400]


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Length: 1000000\r\n\r\n" + SMUGGLED * 10,
        b"Transfer-Encoding: chunked\r\n\r\n" + b"%x\r\n%b\r\n" % (len(SMUGGLED), SMUGGLED) * 1000,
    ],
    ids=["counted", "chunked"],
)
def test_a_body_larger_than_allowed_is_refused_and_what_it_hides_is_not_served(target: Target, rest: bytes) -> None:
    answers, closed = target.all_answers(POST + rest)
    assert closed
    assert statuses(answers) == [413]
    assert target.forwarded() == []


def test_a_body_on_a_get_is_not_a_second_request(target: Target) -> None:
    get = f"GET {COLLECTION} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(SMUGGLED)}\r\n\r\n".encode()
    answers, _ = target.all_answers(get + SMUGGLED, seconds=1.0)
    assert statuses(answers) == [200]
    assert len(target.forwarded()) == 1


def test_pipelined_requests_are_answered_one_by_one_in_order(target: Target) -> None:
    paths = [f"{COLLECTION}/{n:08d}-0000-7000-8000-000000000000" for n in range(40)]
    wire = b"".join(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode() for path in paths)
    last = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    answers, closed = target.all_answers(wire + last)
    assert closed
    assert statuses(answers) == [200] * 41
    asked = [request.line.split(b" ")[1].decode() for request in target.forwarded()]
    assert asked == [path.removeprefix("/api") for path in paths]


@pytest.mark.verify  # half a minute of waiting
def test_a_slow_body_is_ended(target: Target) -> None:
    """10 s and 1 ms per byte are enough."""
    with socket.create_connection(("127.0.0.1", target.port), timeout=20) as connection:
        connection.sendall(POST + b"Content-Length: 1000\r\n\r\n")
        started = time.monotonic()
        connection.settimeout(0.5)
        while time.monotonic() - started < 18:
            try:
                connection.sendall(b" ")
                if connection.recv(100) == b"":
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        assert 8 < time.monotonic() - started < 17
    assert target.forwarded() == []
