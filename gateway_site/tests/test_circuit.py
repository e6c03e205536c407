"""The circuit breaker, on a clock of the test's own."""

import pytest

from gateway_site.forwarding import circuit
from gateway_site.forwarding.circuit import Circuit, State
from gateway_site.tests.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Circuit:
    return Circuit(clock)


def fail(breaker: Circuit, times: int) -> None:
    for _ in range(times):
        assert breaker.admit()
        breaker.failed()


def opened(breaker: Circuit) -> Circuit:
    fail(breaker, circuit.LEAST_REQUESTS)
    assert breaker.state is State.OPEN
    return breaker


def test_few_failures_say_nothing(breaker: Circuit) -> None:
    fail(breaker, circuit.LEAST_REQUESTS - 1)
    assert breaker.state is State.CLOSED


def test_it_opens_at_the_failure_rate(breaker: Circuit) -> None:
    for _ in range(30):
        breaker.admit()
        breaker.succeeded()
    fail(breaker, 29)
    assert breaker.state is State.CLOSED
    fail(breaker, 1)
    assert breaker.state is State.OPEN


def test_old_failures_are_forgotten(breaker: Circuit, clock: Clock) -> None:
    fail(breaker, circuit.LEAST_REQUESTS - 1)
    clock.now += circuit.WINDOW_SECONDS
    fail(breaker, 1)
    assert breaker.state is State.CLOSED


def test_an_open_one_admits_nothing_and_says_when_it_may(breaker: Circuit) -> None:
    assert not opened(breaker).admit()
    assert 0 < breaker.seconds_to_probe <= circuit.OPEN_SECONDS * 1.2


def test_after_a_while_it_admits_one_probe_at_a_time(breaker: Circuit, clock: Clock) -> None:
    opened(breaker)
    clock.now += circuit.OPEN_SECONDS * 1.2
    assert breaker.admit()
    assert breaker.state is State.HALF_OPEN
    assert not breaker.admit()


def test_successes_in_a_row_close_it(breaker: Circuit, clock: Clock) -> None:
    opened(breaker)
    clock.now += circuit.OPEN_SECONDS * 1.2
    for _ in range(circuit.CLOSE_AFTER):
        assert breaker.state is not State.CLOSED
        assert breaker.admit()
        breaker.succeeded()
    assert breaker.state is State.CLOSED
    fail(breaker, circuit.LEAST_REQUESTS - 1)
    assert breaker.state is State.CLOSED, "the failures that opened it are forgotten"


def test_a_failed_probe_opens_it_again(breaker: Circuit, clock: Clock) -> None:
    opened(breaker)
    clock.now += circuit.OPEN_SECONDS * 1.2
    assert breaker.admit()
    breaker.failed()
    assert breaker.state is State.OPEN
    assert not breaker.admit()


def test_a_probe_whose_client_went_away_makes_room_for_the_next(breaker: Circuit, clock: Clock) -> None:
    opened(breaker)
    clock.now += circuit.OPEN_SECONDS * 1.2
    assert breaker.admit()
    breaker.forgotten()
    assert breaker.admit()


def test_answers_that_come_after_it_opened_change_nothing(breaker: Circuit) -> None:
    opened(breaker)
    breaker.succeeded()
    breaker.failed()
    breaker.forgotten()
    assert breaker.state is State.OPEN
