"""Which requests may be sent again, and how many."""

from collections.abc import AsyncIterator

import pytest

from gateway_site.forwarding import retries
from gateway_site.forwarding.circuit import CircuitOpen
from gateway_site.forwarding.retries import RetryBudget, may_repeat
from packages.http_pool import (
    BadAnswer,
    ConnectFailed,
    ConnectionReset,
    ConnectTimeout,
    Outgoing,
    PoolFull,
    UpstreamError,
    UpstreamTimeout,
)

RESET = ConnectionReset("closed", sent=True)


async def stream() -> AsyncIterator[bytes]:
    yield b"x"


def request(method: str, *, key: bool = False, body: bytes | AsyncIterator[bytes] = b"{}") -> Outgoing:
    return Outgoing(method, b"/users", [(b"idempotency-key", b"k1")] if key else [], body)


def spent(budget: RetryBudget) -> int:
    return sum(budget.spend() for _ in range(10_000))


def test_a_budget_is_a_fifth_of_the_traffic() -> None:
    budget = RetryBudget()
    spent(budget)
    for _ in range(100):
        budget.earn()
    assert spent(budget) in {19, 20}  # 100 times 0.2, summed in binary


def test_the_first_ten_retries_need_no_traffic() -> None:
    assert spent(RetryBudget()) == 10


def test_a_long_calm_saves_up_a_hundred_retries_at_most() -> None:
    budget = RetryBudget()
    for _ in range(100_000):
        budget.earn()
    assert spent(budget) == 100


def test_a_full_budget_earns_nothing() -> None:
    budget = RetryBudget()
    budget.tokens = retries.CEILING
    budget.earn()
    assert budget.tokens == 100


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("error", [RESET, BadAnswer("garbage")])
def test_safe_methods_are_repeated(method: str, error: UpstreamError) -> None:
    assert may_repeat(error, request(method))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW"])
@pytest.mark.parametrize("error", [RESET, BadAnswer("garbage")])
def test_other_methods_are_not_once_a_byte_was_sent(method: str, error: UpstreamError) -> None:
    assert not may_repeat(error, request(method))


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "GET"])
def test_any_method_is_before_a_byte_was_sent(method: str) -> None:
    assert may_repeat(ConnectFailed("refused"), request(method))
    assert may_repeat(ConnectionReset("closed", sent=False), request(method))


def test_a_post_with_an_idempotency_key_is_repeated() -> None:
    assert may_repeat(RESET, request("POST", key=True))


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_another_method_with_a_key_is_not(method: str) -> None:
    assert not may_repeat(RESET, request(method, key=True))


@pytest.mark.parametrize(
    "error",
    [UpstreamTimeout("late", sent=True), PoolFull("full"), ConnectTimeout("late"), CircuitOpen(1.0)],
    ids=lambda e: type(e).__name__,
)
def test_no_request_is_repeated_without_time_or_capacity(error: UpstreamError) -> None:
    assert not may_repeat(error, request("GET", key=True))


def test_a_streamed_body_is_consumed() -> None:
    assert not may_repeat(ConnectFailed("refused"), request("PUT", body=stream()))
