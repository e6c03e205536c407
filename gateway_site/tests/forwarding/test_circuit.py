"""The circuit breaker, on a clock of the test's own."""

from collections.abc import Callable

import pytest

from gateway_site.forwarding.circuit import Circuit, CircuitOpen, State
from gateway_site.tests.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def states() -> list[State]:
    return []


@pytest.fixture
def breaker(clock: Clock, states: list[State]) -> Circuit:
    return Circuit(3, changed=states.append, clock=clock)


def end(breaker: Circuit, times: int, outcome: Callable[..., None], **how: bool) -> None:
    for _ in range(times):
        outcome(breaker, breaker.admit(), **how)


def opened(breaker: Circuit) -> Circuit:
    end(breaker, 20, Circuit.failed)
    assert breaker.state is State.OPEN
    return breaker


def half_open(breaker: Circuit, clock: Clock) -> int:
    """What `admit` returned to the first probe."""
    opened(breaker)
    clock.now += 1.2
    return breaker.admit()


CASES = {
    "19 failures are too few for a rate": ("19 fail", State.CLOSED),
    "fewer than half": ("11 succeed, 9 fail", State.CLOSED),
    "not yet half": ("30 succeed, 29 fail", State.CLOSED),
    "half": ("30 succeed, 30 fail", State.OPEN),
    "ten seconds count": (f"10 fail{', 1 passes, 1 succeed' * 9}, 1 fail", State.OPEN),
    "ten seconds with a pause count": ("10 fail, 9 pass, 10 fail", State.OPEN),
    "older ones do not": (f"19 fail{', 1 passes, 1 succeed' * 10}, 1 fail", State.CLOSED),
    "older ones before a pause do not": ("19 fail, 10 pass, 1 fail", State.CLOSED),
    "two time-outs": ("2 time-out", State.CLOSED),
    "three time-outs at low traffic": ("1 time-out, 30 pass, 1 time-out, 30 pass, 1 time-out", State.OPEN),
    "time-outs and successes": ("2 time-out, 1 succeed, 2 time-out", State.CLOSED),
    "time-outs and other failures": ("2 time-out, 1 fail, 2 time-out", State.CLOSED),
}


@pytest.mark.parametrize(("steps", "state"), CASES.values(), ids=CASES)
def test_a_rate_of_failures_or_consecutive_timeouts_open_it(
    breaker: Circuit, clock: Clock, steps: str, state: State
) -> None:
    for step in steps.split(", "):
        match step.split():
            case number, "succeed":
                end(breaker, int(number), Circuit.succeeded)
            case number, ("fail" | "time-out") as what:
                end(breaker, int(number), Circuit.failed, is_timeout=what == "time-out")
            case seconds, ("pass" | "passes"):
                clock.now += int(seconds)
            case _:
                raise AssertionError(step)
    assert breaker.state is state


@pytest.mark.parametrize("jitter", [0.8, 1.2])
def test_an_open_one_refuses_and_shows_the_time_to_its_probe(
    breaker: Circuit, clock: Clock, monkeypatch: pytest.MonkeyPatch, jitter: float
) -> None:
    monkeypatch.setattr("random.uniform", lambda low, high: jitter)
    clock.now = 0
    opened(breaker)
    for later in (0.0, 0.5):
        clock.now += later
        with pytest.raises(CircuitOpen, match=r"^the circuit is open$") as caught:
            breaker.admit()
        assert caught.value.seconds == pytest.approx(jitter - later)
        assert not caught.value.sent
    clock.now = jitter
    breaker.admit()


def test_half_open_it_admits_one_probe_at_a_time(breaker: Circuit, clock: Clock) -> None:
    probe = half_open(breaker, clock)
    assert breaker.state is State.HALF_OPEN
    for outcome in (breaker.succeeded, breaker.ignored):
        with pytest.raises(CircuitOpen) as caught:
            breaker.admit()
        assert caught.value.seconds == 0
        outcome(probe)
        breaker.admit()
    with pytest.raises(CircuitOpen):
        breaker.admit()


def test_three_successes_close_it(breaker: Circuit, clock: Clock, states: list[State]) -> None:
    breaker.succeeded(half_open(breaker, clock))
    end(breaker, 1, Circuit.succeeded)
    assert states == [State.OPEN, State.HALF_OPEN]
    end(breaker, 1, Circuit.succeeded)
    assert states == [State.OPEN, State.HALF_OPEN, State.CLOSED]
    end(breaker, 19, Circuit.failed)
    assert states[-1] is State.CLOSED, "what came before no longer counts"


def test_a_failed_probe_opens_it_until_the_next(breaker: Circuit, clock: Clock) -> None:
    breaker.failed(half_open(breaker, clock))
    assert breaker.state is State.OPEN
    with pytest.raises(CircuitOpen):
        breaker.admit()
    clock.now += 1.2
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

    for _ in range(2):
        opened(breaker)
        end_late()
        clock.now += 1.2
        probe = breaker.admit()
        end_late()
        with pytest.raises(CircuitOpen):
            breaker.admit()
        breaker.succeeded(probe)
        end(breaker, 2, Circuit.succeeded)
        end_late()
        assert breaker.state is State.CLOSED
        earlier = breaker.admit()
