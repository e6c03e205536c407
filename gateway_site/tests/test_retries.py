"""Which requests may be sent again, and how many."""

from collections.abc import AsyncIterator

import pytest

from gateway_site.forwarding import retries
from gateway_site.forwarding.retries import RetryBudget, is_harmless
from packages.http_pool import (
    BadAnswer,
    ConnectFailed,
    ConnectionReset,
    ConnectTimeout,
    PoolFull,
    UpstreamError,
    UpstreamTimeout,
)

RESET = ConnectionReset("closed", sent=True)
KEYED = [(b"idempotency-key", b"k1")]


async def stream() -> AsyncIterator[bytes]:
    yield b"x"


def test_a_budget_is_a_share_of_the_traffic() -> None:
    budget = RetryBudget()
    while budget.spend():
        pass
    for _ in range(100):
        budget.earn()
    assert sum(budget.spend() for _ in range(100)) in {19, 20}  # 100 times 0.2, summed in binary


def test_little_traffic_has_a_reserve() -> None:
    budget = RetryBudget()
    assert sum(budget.spend() for _ in range(100)) == retries.RESERVE


def test_a_long_calm_saves_up_no_storm() -> None:
    budget = RetryBudget()
    for _ in range(100_000):
        budget.earn()
    assert sum(budget.spend() for _ in range(10_000)) <= retries.CEILING + 1


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("error", [RESET, BadAnswer("garbage")])
def test_idempotent_methods_are_sent_again(method: str, error: UpstreamError) -> None:
    assert is_harmless(error, method, [], b"")


@pytest.mark.parametrize("method", ["POST", "PATCH", "BREW"])
def test_others_are_not_once_a_byte_was_sent(method: str) -> None:
    assert not is_harmless(RESET, method, [], b"{}")


@pytest.mark.parametrize("method", ["POST", "PATCH", "GET"])
def test_all_are_before_a_byte_was_sent(method: str) -> None:
    assert is_harmless(ConnectFailed("refused"), method, [], b"{}")
    assert is_harmless(ConnectionReset("closed", sent=False), method, [], b"{}")


def test_a_post_with_an_idempotency_key_is_sent_again() -> None:
    assert is_harmless(RESET, "POST", KEYED, b"{}")


@pytest.mark.parametrize(
    "error",
    [UpstreamTimeout("late", sent=True), PoolFull("full"), ConnectTimeout("late")],
    ids=lambda e: type(e).__name__,
)
def test_nothing_is_when_time_or_room_is_what_is_short(error: UpstreamError) -> None:
    assert not is_harmless(error, "GET", KEYED, b"")


def test_a_body_that_streamed_through_is_gone() -> None:
    assert not is_harmless(ConnectFailed("refused"), "PUT", KEYED, stream())
