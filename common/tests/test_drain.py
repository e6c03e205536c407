"""SIGTERM: ready turns 503, requests are still answered but close their connection, requests in flight finish, exit code 0."""

import http.client
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from tests.log_lines import lines
from tests.site import COLLECTION, NOWHERE, SITE, UNKNOWN_USER, patient_service
from tests.wire import connect, exchange, get, read
from tools.processes.cluster import until
from tools.processes.service import Service, listens, service

pytestmark = pytest.mark.slow

SECONDS = 30


def is_ready(running: Service) -> bool:
    return requests.get(f"{running.url}/health/ready", timeout=5).status_code == 200


@pytest.fixture
def draining(tmp_path: Path) -> Iterator[Service]:
    """A service that was ready, and drains now, for three seconds."""
    with patient_service(tmp_path / "drain", DRAIN_SECONDS="3") as (running, _):
        assert is_ready(running)
        with connect(running.port) as idle:
            idle.sendall(get("/health/live"))
            assert read(idle).status == 200
            running.process.send_signal(signal.SIGTERM)
            until(lambda: not is_ready(running))
            yield running


def test_it_answers_until_its_end_and_exits_0(draining: Service) -> None:
    """One idle keep-alive connection is open all the time (the fixture's): it must delay nothing."""
    ready = exchange(draining.port, get("/health/ready"))
    assert (ready.status, ready.json()["status"], ready.values("connection")) == (503, "not ready", ["close"])
    assert exchange(draining.port, get("/health/live")).status == 200
    answer = exchange(draining.port, get("/version"))
    assert (answer.status, answer.values("connection")) == (200, ["close"])
    draining.process.send_signal(signal.SIGTERM)
    assert exchange(draining.port, get(UNKNOWN_USER)).status in {200, 404}
    assert draining.process.wait(SECONDS) == 0
    assert draining.errors.read_text() == ""
    assert "draining" in [line["message"] for line in lines(draining)]


def test_requests_in_flight_finish(tmp_path: Path) -> None:
    with (
        patient_service(tmp_path / "flight", DRAIN_SECONDS="0") as (running, dependency),
        connect(running.port) as client,
    ):
        dependency.freeze()
        client.sendall(get(UNKNOWN_USER))
        time.sleep(0.3)  # it is on its way to the dependency
        running.process.send_signal(signal.SIGTERM)
        time.sleep(1.5)  # the listener is closed by now
        assert not listens(running.port)
        dependency.thaw()
        answer = read(client)
        assert answer.status in {200, 404}
        assert answer.values("connection") == ["close"]
        assert running.process.wait(SECONDS) == 0


def test_a_request_that_never_ends_delays_the_stop_only_so_long(tmp_path: Path) -> None:
    """The bound is DRAIN_SECONDS and the site's own GRACE_SECONDS (at the gateway: UPSTREAM_TIMEOUT_MS and 5 s)."""
    settings = {**NOWHERE, "DRAIN_SECONDS": "0", "UPSTREAM_TIMEOUT_MS": "100"}
    with service(SITE, tmp_path, **settings) as running, ExitStack() as stack:
        head = get(COLLECTION, "Content-Type: application/json", "Content-Length: 10", method="POST")
        stack.enter_context(connect(running.port)).sendall(head)
        stack.enter_context(connect(running.port)).sendall(b"GET /health HTTP/1.1\r\nHo")
        time.sleep(0.3)
        started = time.monotonic()
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(SECONDS) == 0
        assert time.monotonic() - started < 18


def test_sigint_ends_it_at_once(tmp_path: Path) -> None:
    with service(SITE, tmp_path, **NOWHERE, DRAIN_SECONDS="60") as running:
        kept = http.client.HTTPConnection("127.0.0.1", running.port, timeout=5)
        kept.request("GET", "/health/live")
        kept.getresponse().read()
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(SECONDS) == 0
        kept.close()
