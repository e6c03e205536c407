"""Which requests may be sent again, and how many."""

from collections.abc import AsyncIterator

import pytest

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

BROKEN = [ConnectionReset("closed", sent=True), BadAnswer("garbage")]
UNSENT = [ConnectFailed("refused"), ConnectionReset("closed", sent=False)]
EXHAUSTED = [UpstreamTimeout("late", sent=True), PoolFull("full"), ConnectTimeout("late"), CircuitOpen(1.0)]
SAFE, OTHERS = ["GET", "HEAD", "OPTIONS"], ["POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW"]
KEY = [(b"idempotency-key", b"k1")]


async def stream() -> AsyncIterator[bytes]:
    yield b"x"


def spent(budget: RetryBudget) -> int:
    return sum(budget.spend() for _ in range(10_000))


def test_the_first_ten_retries_need_no_traffic_and_later_ones_are_a_fifth_of_it() -> None:
    budget = RetryBudget()
    assert spent(budget) == 10
    for _ in range(100):
        budget.earn()
    assert spent(budget) in {19, 20}  # 100 times 0.2, summed in binary


def test_a_long_calm_saves_up_a_hundred_retries_at_most() -> None:
    budget = RetryBudget()
    for _ in range(100_000):
        budget.earn()
    assert spent(budget) == 100
    budget.tokens = 100.0
    budget.earn()
    assert budget.tokens == 100


@pytest.mark.parametrize(
    ("errors", "methods", "headers", "is_repeated"),
    [
        (BROKEN, SAFE, [], True),
        (BROKEN, OTHERS, [], False),
        (BROKEN, ["POST"], KEY, True),
        (BROKEN, ["PUT", "PATCH", "DELETE"], KEY, False),
        (UNSENT, [*SAFE, *OTHERS], [], True),
        (EXHAUSTED, ["GET", "POST"], KEY, False),
    ],
)
def test_what_is_safe_is_repeated(
    errors: list[UpstreamError], methods: list[str], headers: list[tuple[bytes, bytes]], is_repeated: bool
) -> None:
    for error in errors:
        for method in methods:
            assert may_repeat(error, Outgoing(method, b"/users", headers, b"{}")) is is_repeated, (error, method)


def test_a_streamed_body_is_consumed() -> None:
    assert not may_repeat(ConnectFailed("refused"), Outgoing("PUT", b"/users", [], stream()))
