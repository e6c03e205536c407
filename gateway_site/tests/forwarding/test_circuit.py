"""The circuit breaker, on a clock of the test's own."""

from collections.abc import Callable

import pytest

from gateway_site.forwarding.circuit import Circuit, CircuitOpen, State
from gateway_site.tests.clock import Clock

MAX_TIMEOUTS = 3


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def states() -> list[State]:
    return []


@pytest.fixture
def breaker(clock: Clock, states: list[State]) -> Circuit:
    return Circuit(MAX_TIMEOUTS, changed=states.append, clock=clock)


def fail(breaker: Circuit, times: int, *, is_timeout: bool = False) -> None:
    for _ in range(times):
        breaker.failed(breaker.admit(), is_timeout=is_timeout)


def succeed(breaker: Circuit, times: int = 1) -> None:
    for _ in range(times):
        breaker.succeeded(breaker.admit())


def opened(breaker: Circuit) -> Circuit:
    fail(breaker, 20)
    assert breaker.state is State.OPEN
    return breaker


def half_open(breaker: Circuit, clock: Clock) -> int:
    """What `admit` returned to the first probe."""
    opened(breaker)
    clock.now += 1.2
    return breaker.admit()


def test_nineteen_failures_are_too_few_for_a_rate(breaker: Circuit) -> None:
    fail(breaker, 19)
    assert breaker.state is State.CLOSED


def test_it_opens_at_half_of_the_requests(breaker: Circuit) -> None:
    succeed(breaker, 30)
    fail(breaker, 29)
    assert breaker.state is State.CLOSED
    fail(breaker, 1)
    assert breaker.state is State.OPEN


def test_fewer_failures_than_half_do_not_open_it(breaker: Circuit) -> None:
    succeed(breaker, 11)
    fail(breaker, 9)
    assert breaker.state is State.CLOSED


def test_failures_of_all_ten_seconds_count(breaker: Circuit, clock: Clock) -> None:
    fail(breaker, 10)
    for _ in range(9):
        clock.now += 1
        succeed(breaker)
    fail(breaker, 1)
    assert breaker.state is State.OPEN


def test_failures_of_the_tenth_second_before_count_after_a_pause(breaker: Circuit, clock: Clock) -> None:
    fail(breaker, 10)
    clock.now += 9
    fail(breaker, 10)
    assert breaker.state is State.OPEN


def test_older_failures_do_not_count_with_traffic_in_between(breaker: Circuit, clock: Clock) -> None:
    fail(breaker, 19)
    for _ in range(10):
        clock.now += 1
        succeed(breaker)
    fail(breaker, 1)
    assert breaker.state is State.CLOSED


def test_failures_leave_the_window_after_ten_seconds(breaker: Circuit, clock: Clock) -> None:
    fail(breaker, 19)
    clock.now += 10
    fail(breaker, 1)
    assert breaker.state is State.CLOSED


def test_consecutive_timeouts_open_it_at_low_traffic(breaker: Circuit, clock: Clock) -> None:
    for _ in range(MAX_TIMEOUTS - 1):
        fail(breaker, 1, is_timeout=True)
        clock.now += 30
    assert breaker.state is State.CLOSED
    fail(breaker, 1, is_timeout=True)
    assert breaker.state is State.OPEN


@pytest.mark.parametrize("between", [succeed, lambda breaker: fail(breaker, 1)])
def test_timeouts_with_other_outcomes_in_between_do_not(breaker: Circuit, between: object) -> None:
    assert callable(between)
    for _ in range(MAX_TIMEOUTS):
        fail(breaker, MAX_TIMEOUTS - 1, is_timeout=True)
        between(breaker)
    assert breaker.state is State.CLOSED


def test_other_failures_are_not_timeouts(breaker: Circuit) -> None:
    for _ in range(MAX_TIMEOUTS):
        breaker.failed(breaker.admit())
    assert breaker.state is State.CLOSED


@pytest.mark.parametrize(("jitter", "seconds"), [(0.8, 0.8), (1.2, 1.2)])
def test_an_open_one_refuses_and_shows_the_time_to_its_probe(
    breaker: Circuit, clock: Clock, monkeypatch: pytest.MonkeyPatch, jitter: float, seconds: float
) -> None:
    monkeypatch.setattr("random.uniform", lambda low, high: jitter)
    clock.now = 0
    opened(breaker)
    for later in (0.0, 0.5):
        clock.now += later
        with pytest.raises(CircuitOpen) as caught:
            breaker.admit()
        assert caught.value.seconds == pytest.approx(seconds - later)
        assert not caught.value.sent
        assert str(caught.value) == "the circuit is open"
    clock.now = seconds
    breaker.admit()


def test_half_open_it_admits_one_probe_at_a_time(breaker: Circuit, clock: Clock) -> None:
    probe = half_open(breaker, clock)
    assert breaker.state is State.HALF_OPEN
    with pytest.raises(CircuitOpen) as caught:
        breaker.admit()
    assert caught.value.seconds == 0
    breaker.succeeded(probe)
    breaker.admit()
    with pytest.raises(CircuitOpen):
        breaker.admit()


def test_three_successes_close_it(breaker: Circuit, clock: Clock, states: list[State]) -> None:
    breaker.succeeded(half_open(breaker, clock))
    succeed(breaker, 1)
    assert states == [State.OPEN, State.HALF_OPEN]
    succeed(breaker, 1)
    assert states == [State.OPEN, State.HALF_OPEN, State.CLOSED]
    fail(breaker, 19)
    assert states[-1] is State.CLOSED, "what came before no longer counts"


def test_a_failed_probe_opens_it_again(breaker: Circuit, clock: Clock) -> None:
    breaker.failed(half_open(breaker, clock))
    assert breaker.state is State.OPEN
    with pytest.raises(CircuitOpen):
        breaker.admit()


def test_a_probe_whose_client_disconnected_frees_its_place(breaker: Circuit, clock: Clock) -> None:
    breaker.ignored(half_open(breaker, clock))
    breaker.admit()
    with pytest.raises(CircuitOpen):
        breaker.admit()


@pytest.mark.parametrize("outcome", [Circuit.succeeded, Circuit.failed, Circuit.ignored])
def test_the_outcome_of_a_request_from_an_earlier_state_changes_nothing(
    breaker: Circuit, clock: Clock, outcome: Callable[[Circuit, int], None]
) -> None:
    earlier = breaker.admit()

    def end_late() -> None:
        state = breaker.state
        for _ in range(20):
            outcome(breaker, earlier)
        assert breaker.state is state

    opened(breaker)
    end_late()
    clock.now += 1.2
    probe = breaker.admit()
    end_late()
    with pytest.raises(CircuitOpen):
        breaker.admit()
    breaker.succeeded(probe)
    succeed(breaker, 2)
    end_late()
    assert breaker.state is State.CLOSED
    earlier = breaker.admit()
    probe = half_open(breaker, clock)
    breaker.succeeded(probe)
    succeed(breaker, 2)
    end_late()
