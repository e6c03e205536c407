"""Failures of the upstream: 502, 503, 504 with the client's own path."""

import time

import pytest
import requests

from tests.log_lines import access_lines, lines
from tests.recording import Recording, broken, wait_for_close
from tests.wire import Answer, exchange, get
from tools.processes.cluster import until
from tools.processes.service import Service


@pytest.fixture(autouse=True)
def circuit_is_closed(gateway: Service, upstream: Recording) -> None:
    """Outweighs the failures of previous tests, which would open the circuit."""
    until(lambda: all(exchange(gateway.port, get("/api/users")).status == 200 for _ in range(12)))
    upstream.reset()


def assert_problem(answer: Answer, status: int, code: str) -> None:
    """A whole problem that names no host."""
    body = answer.json()
    assert (answer.status, body["status"], body["code"], body["instance"]) == (status, status, code, "/api/users")
    assert answer.values("content-type") == ["application/problem+json"]
    assert b"127.0.0.1" not in answer.body


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_broken_answer_is_502(gateway: Service, upstream: Recording, method: str) -> None:
    upstream.default = broken(b"SSH-2.0-OpenSSH_9.6\r\n")
    assert_problem(exchange(gateway.port, get("/api/users", method=method)), 502, "bad-upstream")


def test_an_answer_that_breaks_off_after_its_head_closes_the_connection(gateway: Service, upstream: Recording) -> None:
    """Too large to be held back until it is whole: the client sees the end of the connection, the log a 502."""
    upstream.default = broken(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n" + b"x" * 2_000_000)
    with pytest.raises(requests.exceptions.RequestException):
        _ = requests.get(f"{gateway.url}/api/users", headers={"X-Request-ID": "broke-off"}, timeout=10).content
    (line,) = access_lines(gateway, "broke-off")
    assert line["status_code"] == 502
    assert not [line for line in lines(gateway) if line.get("request_id") == "broke-off" and "error.stack" in line]


def test_a_silent_upstream_is_504_in_time(gateway: Service, upstream: Recording) -> None:
    upstream.default = wait_for_close
    started = time.monotonic()
    answer = exchange(gateway.port, get("/api/users"))
    assert 1.4 < time.monotonic() - started < 4, "UPSTREAM_TIMEOUT_MS is 1,500"
    assert_problem(answer, 504, "upstream-timeout")
    assert upstream.next().closed.wait(5)
