"""A user service that fails: retries, what the client's problem claims, and the circuit."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from unittest import mock

import pytest
from prometheus_client import REGISTRY

from common.http.problem import Problem
from common.http.response import Headers
from common.server.gunicorn import KEEPALIVE_SECONDS
from gateway_site.forwarding import circuit, service
from gateway_site.forwarding.circuit import CircuitOpen, State
from gateway_site.forwarding.failures import problem_for
from gateway_site.forwarding.service import Service
from gateway_site.routes.table import Upstream
from packages.http_pool import (
    BadAnswer,
    BodyTimeout,
    ConnectFailed,
    ConnectionReset,
    ConnectTimeout,
    Outgoing,
    PoolFull,
    UpstreamError,
    UpstreamTimeout,
)
from tests.recording import OK, Recording, Reply, broken, recording, reset
from tests.serving import logged

pytestmark = pytest.mark.slow

MAY_BE_MADE = "The change may have been made."
KEY = [(b"idempotency-key", b"k1")]
NO_TIME = 0.2
FAILURES: dict[str, Reply] = {"reset": reset, "closed": broken(b""), "nonsense": broken(b"nonsense\r\n\r\n")}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "BACKOFF_SECONDS", 0.001)
    monkeypatch.setattr(service, "CONNECTIONS", 2)
    monkeypatch.setattr(circuit, "OPEN_SECONDS", 0.2)


@pytest.fixture
def upstream() -> Iterator[Recording]:
    with recording() as running:
        yield running


@pytest.fixture
async def users(upstream: Recording) -> AsyncIterator[Service]:
    made = Service(Upstream("user-service", upstream.url, "/health/live", connect_timeout_ms=1000))
    yield made
    await made.close()


async def ask(users: Service, method: str, headers: Headers | None = None, seconds: float = 5) -> int:
    """The status of the answer."""
    body = b"{}" if method in {"POST", "PUT", "PATCH"} else b""
    outgoing = Outgoing(method, b"/users/1", headers or [], body)
    return (await users.ask(outgoing, time.perf_counter(), seconds, retries=2)).status


async def failure(users: Service, method: str, headers: Headers | None = None, seconds: float = 5) -> tuple[str, bool]:
    """The code of the problem, and whether it says that the change may have been made."""
    with pytest.raises(Problem) as caught:
        await ask(users, method, headers, seconds)
    return caught.value.code, caught.value.detail.endswith(MAY_BE_MADE)


def sent(upstream: Recording) -> list[str]:
    """The methods that arrived."""
    return [upstream.received.get_nowait().line.split()[0].decode() for _ in range(upstream.received.qsize())]


async def test_an_upstream_whose_connections_are_all_busy_is_live(
    users: Service, upstream: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not ready, gateways would leave their Service one after the other while the upstream is slow."""
    monkeypatch.setattr(service, "PROBE_SECONDS", 0.2)
    upstream.freeze()
    asking = [asyncio.create_task(ask(users, "GET")) for _ in range(2)]
    for _ in asking:
        await asyncio.to_thread(upstream.next)
    await users.probe()
    upstream.thaw()
    assert await asyncio.gather(*asking) == [200, 200]


async def test_beyond_1152_at_once_requests_are_refused(users: Service, upstream: Recording) -> None:
    upstream.freeze()
    asking = [asyncio.create_task(ask(users, "GET", seconds=30)) for _ in range(1152)]
    await asyncio.to_thread(upstream.next)
    one_more = asyncio.create_task(failure(users, "GET"))
    refused, _ = await asyncio.wait([one_more], timeout=2)
    upstream.thaw()
    assert refused
    assert await one_more == ("upstream-unavailable", False)
    assert set(await asyncio.gather(*asking)) == {200}


def test_an_idle_connection_is_closed_before_our_services_close_it() -> None:
    assert service.IDLE_SECONDS < KEEPALIVE_SECONDS


@pytest.mark.parametrize("reply", FAILURES.values(), ids=FAILURES)
async def test_a_safe_request_survives_two_failures(users: Service, upstream: Recording, reply: Reply) -> None:
    for _ in range(2):
        upstream.replies.put(reply)
    assert await ask(users, "GET") == 200
    assert sent(upstream) == ["GET"] * 3


async def test_a_third_failure_is_the_last(users: Service, upstream: Recording) -> None:
    upstream.default = reset
    assert await failure(users, "GET") == ("bad-upstream", False)
    assert sent(upstream) == ["GET"] * 3


async def test_an_answer_of_5xx_is_the_answer(users: Service, upstream: Recording) -> None:
    upstream.default = OK.replace(b"200 OK", b"503 No")
    assert [await ask(users, method) for method in ("GET", "POST")] == [503, 503]
    assert sent(upstream) == ["GET", "POST"]


@pytest.mark.parametrize("reply", FAILURES.values(), ids=FAILURES)
async def test_a_change_that_was_sent_is_not_repeated_and_may_have_been_made(
    users: Service, upstream: Recording, reply: Reply
) -> None:
    await ask(users, "GET")  # also on a connection that is kept
    upstream.default = reply
    assert await failure(users, "POST") == ("bad-upstream", True)
    assert sent(upstream) == ["GET", "POST"]


async def test_a_post_with_a_key_is_repeated_with_it_and_with_the_remaining_time(
    users: Service, upstream: Recording
) -> None:
    labels = {"service": "user-service", "reason": "reset"}
    before = REGISTRY.get_sample_value("upstream_retries_total", labels) or 0.0
    upstream.replies.put(reset)
    assert await ask(users, "POST", KEY) == 200
    first, second = upstream.next(), upstream.next()
    assert first.values(b"idempotency-key") == second.values(b"idempotency-key") == [b"k1"]
    assert 5000 >= int(first.values(b"x-request-timeout-ms")[0]) > int(second.values(b"x-request-timeout-ms")[0]) > 0
    assert REGISTRY.get_sample_value("upstream_retries_total", labels) == before + 1


@pytest.mark.parametrize(
    "later", [CircuitOpen(1.0), PoolFull("full"), ConnectFailed("refused"), ConnectTimeout("late")]
)
async def test_the_fate_of_a_sent_attempt_outlasts_a_refused_retry(
    users: Service, upstream: Recording, monkeypatch: pytest.MonkeyPatch, later: UpstreamError
) -> None:
    """Never 503 "nothing was done" once the first attempt reached the user service."""
    upstream.default = reset
    monkeypatch.setattr(users.circuit, "admit", mock.Mock(side_effect=[users.circuit.admit(), later, later]))
    assert await failure(users, "POST", KEY) == ("bad-upstream", True)
    assert sent(upstream) == ["POST"]


async def test_a_change_that_is_not_answered_in_time_may_have_been_made(users: Service, upstream: Recording) -> None:
    upstream.freeze()
    assert await failure(users, "PUT", seconds=NO_TIME) == ("upstream-timeout", True)


async def test_three_timeouts_open_the_circuit_and_the_return_of_the_service_closes_it(
    users: Service, upstream: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    def state() -> float | None:
        return REGISTRY.get_sample_value("upstream_circuit_state", {"service": "user-service"})

    monkeypatch.setattr(service, "notices", type(service.notices)(service.logger))
    upstream.freeze()
    with logged() as log:
        for _ in range(3):
            assert await failure(users, "GET", seconds=NO_TIME) == ("upstream-timeout", False)
        with pytest.raises(Problem) as caught:
            await ask(users, "GET")
        assert (caught.value.code, caught.value.headers) == ("upstream-unavailable", [(b"retry-after", b"1")])
        assert state() == State.OPEN
        upstream.thaw()
        await asyncio.sleep(0.25)
        assert [await ask(users, "GET") for _ in range(3)] == [200] * 3
    assert state() == State.CLOSED
    assert [line["message"] for line in log if line["level"] == "warning"] == [
        "circuit open",
        "circuit half-open",
        "circuit closed",
    ]


async def test_a_probe_of_a_frozen_service_is_not_a_clients_request(
    users: Service, upstream: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asks /health/live with a time-out of its own, and the client's request was never sent."""
    upstream.freeze()
    for _ in range(3):
        await failure(users, "GET", seconds=NO_TIME)
    monkeypatch.setattr(service, "PROBE_SECONDS", 0.1)
    await asyncio.sleep(0.25)
    assert await failure(users, "PUT", seconds=NO_TIME) == ("upstream-unavailable", False)
    assert users.circuit.state is State.OPEN


async def test_requests_whose_time_was_over_before_they_were_sent_open_no_circuit(users: Service) -> None:
    for _ in range(5):
        assert await failure(users, "GET", seconds=-5) == ("upstream-timeout", False)
    assert users.circuit.state is State.CLOSED


async def test_only_a_request_that_http_cannot_carry_is_its_clients_fault(users: Service) -> None:
    async def broken_code() -> AsyncIterator[bytes]:
        yield b"x"
        raise ValueError("a fault of our own")

    with pytest.raises(Problem, match=r"This request cannot be forwarded\."):
        await users.ask(Outgoing("GET", b"/a b", []), time.perf_counter(), 5, 0)
    labels = {"service": "user-service", "method": "GET", "status_code": "invalid"}
    assert REGISTRY.get_sample_value("upstream_request_duration_seconds_count", labels)
    with pytest.raises(ValueError, match="our own"):
        await users.ask(Outgoing("POST", b"/users", [], broken_code()), time.perf_counter(), 5, 0)


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (ConnectFailed("h:1: refused"), "refused", "bad-upstream"),
        (ConnectTimeout("h:1: slow"), "connect_timeout", "upstream-timeout"),
        (PoolFull("h:1: 1024 wait"), "pool_full", "upstream-unavailable"),
        (CircuitOpen(1.2), "circuit_open", "upstream-unavailable"),
        (ConnectionReset("h:1: reset", sent=True), "reset", "bad-upstream"),
        (BadAnswer("h:1: no HTTP"), "bad_answer", "bad-upstream"),
        (UpstreamTimeout("h:1: slow"), "timeout", "upstream-timeout"),
        (BodyTimeout("h:1: slow"), "body_timeout", "upstream-timeout"),
    ],
)
def test_every_upstream_error_is_a_problem_without_a_host(error: UpstreamError, kind: str, code: str) -> None:
    problem = problem_for(error, Outgoing("GET", b"/users", []), "The user service")
    assert (error.reason, problem.reason, problem.code) == (kind, kind, code)
    assert "h:1" not in problem.detail
    assert bool(problem.headers) is (code == "upstream-unavailable")
    if isinstance(error, CircuitOpen):
        assert dict(problem.headers)[b"retry-after"] == b"2", "rounded up"


async def test_a_document_of_the_service_is_a_json_object_or_nothing(users: Service, upstream: Recording) -> None:
    assert await users.document(b"/version") == {}
    upstream.default = OK.replace(b"{}", b"[]")
    assert await users.document(b"/version") is None
    upstream.default = broken(b"")
    assert await users.document(b"/version") is None
