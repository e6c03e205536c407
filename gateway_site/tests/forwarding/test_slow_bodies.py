"""A client that sends its body slowly: the circuit stays closed, and no other request is refused."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from gateway_site.forwarding import service
from tests.recording import Recording
from tests.serving import Served, serving
from tests.wire import Answer, connect, exchange, get, read

CLIENTS = 30
"""More failures than it takes to open the circuit."""

TIMEOUT = 1.0
LARGE = 100_000
"""More than is sent in one piece: such a body streams through."""


@pytest.fixture
def gateway(upstream: Recording) -> Iterator[Served]:
    """A gateway that waits TIMEOUT seconds for its upstream."""
    settings = {"UPSTREAM_TIMEOUT_MS": str(int(1000 * TIMEOUT)), "MAX_BODY_BYTES": str(2 * LARGE)}
    with serving("gateway_site", USER_SERVICE_URL=upstream.url, **settings) as running:
        yield running


def slow(gateway: Served, length: int, sent: int, rest: int) -> list[Answer]:
    """The answers to clients that send the rest of their bodies after the upstream's time."""
    head = get("/api/users", f"Content-Length: {length}", method="POST")
    with ExitStack() as opened:
        clients = [opened.enter_context(connect(gateway.port)) for _ in range(CLIENTS)]
        for client in clients:
            client.sendall(head + b"x" * sent)
        time.sleep(TIMEOUT + 0.3)
        for client in clients:
            client.sendall(b"x" * rest)
        return [read(client) for client in clients]


def assert_the_circuit_is_closed(gateway: Served) -> None:
    assert REGISTRY.get_sample_value("upstream_circuit_state", {"service": "user-service"}) == 0
    assert exchange(gateway.port, get("/api/users")).status == 200


def test_the_upstreams_time_begins_after_the_body(gateway: Served) -> None:
    assert {answer.status for answer in slow(gateway, 100, sent=50, rest=50)} == {200}
    assert_the_circuit_is_closed(gateway)


def test_a_late_streamed_body_is_504_and_opens_no_circuit(gateway: Served) -> None:
    answers = slow(gateway, LARGE, sent=50, rest=0)
    assert {(answer.status, answer.json()["detail"]) for answer in answers} == {
        (504, "The request's body did not arrive in time.")
    }
    assert_the_circuit_is_closed(gateway)


def test_slow_uploads_leave_connections_for_other_requests(
    monkeypatch: pytest.MonkeyPatch, upstream: Recording, tmp_path: Path
) -> None:
    monkeypatch.setattr(service, "CONNECTIONS", 4)
    table = tmp_path / "routes.toml"
    table.write_text(
        f'[[routes]]\nprefix = "/files"\nupstream = "{upstream.url}"\ntimeout_ms = 4000\n'
        f'[[routes]]\nprefix = "/quick"\nupstream = "{upstream.url}"\ntimeout_ms = 1000\n'
    )
    head = get("/files", f"Content-Length: {LARGE}", method="POST")
    settings = {"ROUTES": str(table), "USER_SERVICE_URL": "http://127.0.0.1:1", "MAX_BODY_BYTES": str(2 * LARGE)}
    with serving("gateway_site", **settings) as gateway, ExitStack() as opened:
        clients = [opened.enter_context(connect(gateway.port)) for _ in range(8)]
        for client in clients:
            client.sendall(head + b"x")
        time.sleep(0.2)
        assert [exchange(gateway.port, get("/quick")).status for _ in range(3)] == [200] * 3
        answers = [read(client) for client in clients]
        assert {answer.status for answer in answers} == {503, 504}
        shed, *more = [answer for answer in answers if answer.status == 503]
        assert len(more) >= 3  # an upload that waited may get a place in its last moment
        assert (shed.json()["code"], bool(shed.values("retry-after"))) == ("upstream-unavailable", True)
        assert exchange(gateway.port, get("/quick")).status == 200
