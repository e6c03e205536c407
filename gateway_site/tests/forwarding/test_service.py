"""A user service that fails: retries, what the client's problem claims, and the circuit."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from prometheus_client import REGISTRY

from common.http.problem import Problem
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
from tests.recording import OK, Recording, Reply, broken, reset
from tests.serving import logged

pytestmark = pytest.mark.slow

MAY_BE_MADE = "The change may have been made."
KEY = [(b"idempotency-key", b"k1")]
NO_TIME = 0.2


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "BACKOFF_SECONDS", 0.001)
    monkeypatch.setattr(circuit, "OPEN_SECONDS", 0.2)


class Client(Service):
    """With a time-out of its own."""

    seconds = 5.0


def client(url: str, seconds: float = 5) -> Client:
    made = Client(Upstream("user-service", url, "/health/live", connect_timeout_ms=1000))
    made.seconds = seconds
    return made


@pytest.fixture
async def users(own_upstream: Recording) -> AsyncIterator[Client]:
    """A client of the recording upstream."""
    made = client(own_upstream.url)
    yield made
    await made.close()


@pytest.fixture
async def impatient(own_upstream: Recording) -> AsyncIterator[Client]:
    """A client that waits NO_TIME seconds."""
    made = client(own_upstream.url, NO_TIME)
    yield made
    await made.close()


async def test_an_upstream_whose_connections_are_all_busy_is_live(
    own_upstream: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not ready, gateways would leave their Service one after the other while the upstream is slow."""
    monkeypatch.setattr(service, "CONNECTIONS", 2)
    monkeypatch.setattr(service, "PROBE_SECONDS", 0.2)
    users = client(own_upstream.url)
    own_upstream.freeze()
    asking = [asyncio.create_task(ask(users, "GET")) for _ in range(2)]
    for _ in asking:
        await asyncio.to_thread(own_upstream.next)
    await users.probe()
    own_upstream.thaw()
    assert await asyncio.gather(*asking) == [200, 200]
    await users.close()


async def ask(users: Client, method: str, headers: list[tuple[bytes, bytes]] | None = None) -> int | Problem:
    """The status of the answer, or the problem."""
    body = b"{}" if method in {"POST", "PUT", "PATCH"} else b""
    try:
        outgoing = Outgoing(method, b"/users/1", headers or [], body)
        return (await users.ask(outgoing, time.perf_counter(), users.seconds)).status
    except Problem as problem:
        return problem


def sent(upstream: Recording) -> list[str]:
    """The methods that arrived."""
    return [upstream.received.get_nowait().line.split()[0].decode() for _ in range(upstream.received.qsize())]


@pytest.mark.parametrize(
    "reply", [reset, broken(b""), broken(b"nonsense\r\n\r\n")], ids=["reset", "closed", "nonsense"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_a_safe_request_survives_two_failures(
    users: Client, own_upstream: Recording, method: str, reply: Reply
) -> None:
    own_upstream.default = b"HTTP/1.1 204 No Content\r\n\r\n"
    for _ in range(2):
        own_upstream.replies.put(reply)
    assert await ask(users, method) == 204
    assert sent(own_upstream) == [method] * 3


@pytest.mark.parametrize(
    "reply", [reset, broken(b""), broken(b"nonsense\r\n\r\n")], ids=["reset", "closed", "nonsense"]
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_a_change_that_was_sent_is_not_repeated_and_may_have_been_made(
    users: Client, own_upstream: Recording, method: str, reply: Reply
) -> None:
    await ask(users, "GET")  # also on a connection that is kept
    own_upstream.default = reply
    problem = await ask(users, method)
    assert isinstance(problem, Problem)
    assert problem.code == "bad-upstream"
    assert problem.detail.endswith(MAY_BE_MADE)
    assert sent(own_upstream) == ["GET", method]


async def test_a_post_with_a_key_is_repeated_with_it(users: Client, own_upstream: Recording) -> None:
    own_upstream.replies.put(reset)
    assert await ask(users, "POST", KEY) == 200
    assert [own_upstream.next().values(b"idempotency-key") for _ in range(2)] == [[b"k1"], [b"k1"]]


@pytest.mark.parametrize(
    "later", [CircuitOpen(1.0), PoolFull("full"), ConnectFailed("refused"), ConnectTimeout("late")]
)
async def test_the_fate_of_a_sent_attempt_outlasts_a_refused_retry(
    users: Client, own_upstream: Recording, monkeypatch: pytest.MonkeyPatch, later: UpstreamError
) -> None:
    """Never 503 "nothing was done" once the first attempt reached the user service."""
    own_upstream.default = reset
    admit, admitted = users.circuit.admit, []

    def refuse_the_second() -> int:
        admitted.append(admit())
        if len(admitted) > 1:
            raise later
        return admitted[0]

    monkeypatch.setattr(users.circuit, "admit", refuse_the_second)
    problem = await ask(users, "POST", KEY)
    assert isinstance(problem, Problem)
    assert problem.code == "bad-upstream"
    assert problem.detail.endswith(MAY_BE_MADE)
    assert sent(own_upstream) == ["POST"]


@pytest.mark.parametrize(("method", "may_be_made"), [("GET", False), ("PUT", True)])
async def test_a_timeout_is_504(impatient: Client, own_upstream: Recording, method: str, may_be_made: bool) -> None:
    own_upstream.freeze()
    problem = await ask(impatient, method)
    assert isinstance(problem, Problem)
    assert (problem.code, problem.detail.endswith(MAY_BE_MADE)) == ("upstream-timeout", may_be_made)


async def test_the_remaining_time_goes_with_each_attempt(users: Client, own_upstream: Recording) -> None:
    own_upstream.replies.put(reset)
    assert await ask(users, "GET") == 200
    first, second = (int(own_upstream.next().values(b"x-request-timeout-ms")[0]) for _ in range(2))
    assert 5000 >= first > second > 0


async def test_retries_are_counted_by_their_reason(users: Client, own_upstream: Recording) -> None:
    labels = {"service": "user-service", "reason": "reset"}
    before = REGISTRY.get_sample_value("upstream_retries_total", labels) or 0.0
    own_upstream.replies.put(reset)
    await ask(users, "GET")
    assert REGISTRY.get_sample_value("upstream_retries_total", labels) == before + 1


async def test_a_frozen_service_opens_the_circuit_after_three_requests(
    impatient: Client, own_upstream: Recording
) -> None:
    own_upstream.freeze()
    problems = [await ask(impatient, "GET") for _ in range(4)]
    assert [problem.code for problem in problems if isinstance(problem, Problem)] == [
        *["upstream-timeout"] * 3,
        "upstream-unavailable",
    ]
    assert isinstance(problems[-1], Problem)
    assert dict(problems[-1].headers)[b"retry-after"] == b"1"


async def test_a_probe_of_a_frozen_service_is_not_a_clients_request(
    impatient: Client, own_upstream: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asks /health/live with a time-out of its own, and the client's request was never sent."""
    own_upstream.freeze()
    for _ in range(3):
        await ask(impatient, "GET")
    monkeypatch.setattr("gateway_site.forwarding.service.PROBE_SECONDS", 0.1)
    await asyncio.sleep(0.25)
    problem = await ask(impatient, "PUT")
    assert isinstance(problem, Problem)
    assert (problem.code, MAY_BE_MADE in problem.detail) == ("upstream-unavailable", False)
    assert impatient.circuit.state is State.OPEN


async def test_the_return_of_the_service_closes_the_circuit_and_each_change_is_logged(
    impatient: Client, own_upstream: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "notices", type(service.notices)(service.logger))
    own_upstream.freeze()
    with logged() as log:
        for _ in range(3):
            await ask(impatient, "GET")
        assert REGISTRY.get_sample_value("upstream_circuit_state", {"service": "user-service"}) == 2
        own_upstream.thaw()
        await asyncio.sleep(0.25)
        assert [await ask(impatient, "GET") for _ in range(3)] == [200] * 3
    assert REGISTRY.get_sample_value("upstream_circuit_state", {"service": "user-service"}) == 0
    assert [line["message"] for line in log if line["level"] == "warning"] == [
        "circuit open",
        "circuit half-open",
        "circuit closed",
    ]


async def test_requests_whose_time_was_over_before_they_were_sent_open_no_circuit(users: Client) -> None:
    for _ in range(5):
        with pytest.raises(Problem, match="did not answer in time"):
            await users.ask(Outgoing("GET", b"/users/1", []), time.perf_counter() - 10, users.seconds)
    assert users.circuit.state is State.CLOSED


async def test_only_a_request_that_http_cannot_carry_is_its_clients_fault(users: Client) -> None:
    async def broken_code() -> AsyncIterator[bytes]:
        yield b"x"
        raise ValueError("a fault of our own")

    with pytest.raises(Problem, match="cannot be forwarded"):
        await users.ask(Outgoing("GET", b"/a b", []), time.perf_counter(), users.seconds)
    with pytest.raises(ValueError, match="our own"):
        await users.ask(Outgoing("POST", b"/users", [], broken_code()), time.perf_counter(), users.seconds)


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


async def test_a_document_of_the_service_is_a_json_object_or_nothing(users: Client, own_upstream: Recording) -> None:
    assert await users.document(b"/version") == {}
    own_upstream.default = OK.replace(b"{}", b"[]")
    assert await users.document(b"/version") is None
    own_upstream.default = broken(b"")
    assert await users.document(b"/version") is None
