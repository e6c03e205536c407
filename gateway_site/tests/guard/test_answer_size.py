"""MAX_ANSWER_BYTES: larger answers of the user service are refused."""

import http.client
from collections.abc import Iterator

import pytest

from gateway_site.tests.guard.conftest import Start
from tests.log_lines import access_lines
from tests.recording import Recording
from tests.serving import Served
from tests.wire import Answer, connect, exchange, get, read

LIMIT = 1 << 20


@pytest.fixture(scope="module")
def bounded(start: Start) -> Iterator[Served]:
    with start(MAX_ANSWER_BYTES=str(LIMIT)) as running:
        yield running


def test_an_announced_size_above_it_is_a_problem(bounded: Served, upstream: Recording) -> None:
    def answer(size: int) -> Answer:
        upstream.default = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size
        return exchange(bounded.port, get("/api/users"))

    assert len(answer(LIMIT).body) == LIMIT
    refused = answer(LIMIT + 1)
    assert (refused.status, refused.json()["code"]) == (502, "bad-upstream")


def test_an_unannounced_one_is_broken_off(bounded: Served, upstream: Recording) -> None:
    chunk = b"%x\r\n" % LIMIT + b"x" * LIMIT + b"\r\n"
    upstream.default = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + 5 * chunk + b"0\r\n\r\n"
    with connect(bounded.port) as connection:
        connection.sendall(get("/api/users", "X-Request-ID: too-large"))
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            read(connection)
    (line,) = access_lines(bounded, "too-large")
    assert line["status_code"] == 502
    assert line["bytes_sent"] <= LIMIT
