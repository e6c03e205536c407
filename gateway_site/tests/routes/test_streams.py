"""A route with `stream`: each piece is passed on as it arrives, for as long as there are pieces."""

import http.client
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import pytest
import requests

from gateway_site.tests.routes.conftest import metric
from tests.log_lines import waited_for
from tests.recording import Received, Recording, wait_for_close
from tools.processes.cluster import until
from tools.processes.service import Service

pytestmark = pytest.mark.slow

SECONDS = 10
TIMEOUT_MS, IDLE_MS = 400, 2000
TABLE = f"""
[[routes]]
prefix = "/events"
upstream = "{{upstream}}"
stream = true
timeout_ms = {TIMEOUT_MS}
idle_timeout_ms = {IDLE_MS}
"""
OPEN = 'upstream_streams{service="127.0.0.1"}'
WITHIN_HALF_A_SECOND = 'http_request_duration_seconds_bucket{le="0.5",method="GET",route="/events",status_code="200"}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def gateway(start: Callable[..., Service], recorded: Recording) -> Service:
    return start(TABLE.format(upstream=recorded.url))


@contextmanager
def opened(gateway: Service) -> Iterator[http.client.HTTPResponse]:
    with closing(http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=SECONDS)) as connection:
        connection.request("GET", "/events")
        with connection.getresponse() as answer:
            yield answer


class Talk:
    """The upstream's end of a stream: sends what it is given, and records when the gateway closes it."""

    request: Received
    connection: socket.socket

    def __call__(self, request: Received, connection: socket.socket) -> None:
        self.request, self.connection = request, connection
        connection.sendall(HEAD)
        wait_for_close(request, connection)

    def say(self, text: str) -> None:
        """A chunk; an empty one is the last."""
        self.connection.sendall(b"%x\r\n%b\r\n" % (len(text), text.encode()))


@pytest.fixture
def talk(recorded: Recording) -> Talk:
    recorded.reset()
    made = Talk()
    recorded.default = made
    return made


def test_pieces_arrive_as_they_are_sent_beyond_the_time_of_the_route(
    gateway: Service, talk: Talk, recorded: Recording
) -> None:
    until(lambda: metric(gateway, OPEN) == 0)
    before = metric(gateway, WITHIN_HALF_A_SECOND)
    with opened(gateway) as answer:
        assert (answer.status, answer.getheader("content-type")) == (200, "text/event-stream"), "before the first event"
        assert recorded.next().values(b"x-request-timeout-ms") == []
        for number in range(4):
            talk.say(f"data: {number}\n\n")
            assert answer.readline() + answer.readline() == f"data: {number}\n\n".encode()
            time.sleep(TIMEOUT_MS / 1000 / 2)
        assert metric(gateway, "http_requests_in_flight") == 1
        assert metric(gateway, OPEN) == 1
        talk.say("")
        assert answer.read() == b""
    assert metric(gateway, WITHIN_HALF_A_SECOND) == before + 1, "the time to its head"
    assert metric(gateway, OPEN) == 0


def test_it_continues_when_a_new_table_has_another_upstream(
    start: Callable[..., Service], talk: Talk, recorded: Recording
) -> None:
    gateway = start(TABLE.format(upstream=recorded.url), UPSTREAM_TIMEOUT_MS=str(TIMEOUT_MS))
    with opened(gateway) as answer:
        gateway.log.with_name("routes.toml").write_text(TABLE.format(upstream="http://127.0.0.1:1"))
        assert waited_for(gateway, lambda line: line["message"] == "routes changed")
        for _ in range(3):
            talk.say("data: 1\n\n")
            time.sleep(TIMEOUT_MS / 1000)  # the longest that a request may take
        talk.say("")
        assert answer.read() == b"data: 1\n\n" * 3
    assert talk.request.closed.wait(SECONDS)


def test_silence_for_the_idle_time_ends_it(gateway: Service, talk: Talk) -> None:
    with opened(gateway) as answer:
        talk.say("data: 1\n\n")
        with pytest.raises(http.client.IncompleteRead):
            answer.read()
    assert talk.request.closed.wait(SECONDS)
    (line,) = waited_for(gateway, lambda line: line.get("code") == "upstream-timeout")
    assert line["reason"] == "timeout"


def test_a_client_that_leaves_ends_it_at_the_upstream(gateway: Service, talk: Talk) -> None:
    with opened(gateway) as answer:
        talk.say("data: 1\n\n")
        assert answer.readline() == b"data: 1\n"
    assert talk.request.closed.wait(IDLE_MS / 1000 - 0.3)


def test_a_stop_of_the_gateway_ends_it_as_complete(
    start: Callable[..., Service], talk: Talk, recorded: Recording
) -> None:
    gateway = start(TABLE.format(upstream=recorded.url))
    with opened(gateway) as answer:
        talk.say("data: 1\n\n")
        assert answer.readline() == b"data: 1\n"
        gateway.process.terminate()
        assert answer.read() == b"\n"
    assert talk.request.closed.wait(SECONDS)
    assert gateway.process.wait(SECONDS) == 0


CROWDED = """
[upstreams.events]
url = "{upstream}"
max_streams = 2

[[routes]]
prefix = "/events"
upstream = "events"
stream = true
"""


def test_clients_that_come_at_once_are_bounded_before_the_first_head(
    start: Callable[..., Service], recorded: Recording
) -> None:
    recorded.reset()
    gateway = start(CROWDED.format(upstream=recorded.url))
    recorded.freeze()
    with ThreadPoolExecutor(5) as clients:
        asked = [clients.submit(requests.get, f"{gateway.url}/events", timeout=SECONDS) for _ in range(5)]
        until(lambda: sum(each.done() for each in asked) == 3)
        recorded.thaw()
    assert sorted(each.result().status_code for each in asked) == [200, 200, 503, 503, 503]
    refused = [answer for each in asked if (answer := each.result()).status_code == 503]
    assert {answer.headers["Retry-After"] for answer in refused} == {"5"}
    until(lambda: metric(gateway, 'upstream_streams{service="events"}') == 0)
    assert requests.get(f"{gateway.url}/events", timeout=SECONDS).status_code == 200, "an answer that is no stream"
