"""The circuit breaker: stops requests to a failing service, so that they fail fast and the service can recover."""

import random
import time
from collections.abc import Callable
from enum import IntEnum

from packages.http_pool import UpstreamError

WINDOW_SECONDS = 10
"""Window of the failure rate, in buckets of a second."""

LEAST_REQUESTS = 20
"""Below this number in the window the rate is ignored."""

OPEN_SECONDS = 1.0
"""Time until the first probe, ±20 %: a restarted service is used again within a second."""

CLOSE_AFTER = 3
"""Successes in sequence that close a half-open circuit."""


class State(IntEnum):
    """The values of `upstream_circuit_state`."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


CLOSED, HALF_OPEN, OPEN = State  # an attribute of an enumeration takes 0.3 µs in Python 3.11


class CircuitOpen(UpstreamError):
    """Refused without an attempt; `seconds` until the next probe."""

    reason = "circuit_open"

    def __init__(self, seconds: float) -> None:
        super().__init__("the circuit is open")
        self.seconds = seconds


class Circuit:
    """For one service and one event loop. Call `admit()` before a request, and afterwards one of the other methods with
    its result: a request that ends in a later state than it was admitted in does not count.

    Opens at `failure_rate`, or after `max_timeouts` consecutive time-outs: under little traffic, the rate reacts too
    late. `changed` is called with each new state.
    """

    def __init__(
        self,
        max_timeouts: int,
        failure_rate: float = 0.5,
        *,
        changed: Callable[[State], None] = lambda state: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_timeouts, self._failure_rate, self._changed, self._clock = max_timeouts, failure_rate, changed, clock
        self.state = CLOSED
        self._changes = 0
        self._second = 0
        self._reset()

    def _reset(self) -> None:
        self._buckets = [[0, 0] for _ in range(WINDOW_SECONDS)]  # requests, failures
        self._timeouts = self._successes = 0
        self._is_probing = False
        self._retry_at = 0.0

    def _enter(self, state: State) -> None:
        self.state = state
        self._changes += 1
        self._changed(state)

    def admit(self) -> int:
        """The number of changes so far. Raises CircuitOpen if no request may be sent now."""
        if self.state is CLOSED:
            return self._changes
        if self.state is OPEN:
            left = self._retry_at - self._clock()
            if left > 0:
                raise CircuitOpen(left)
            self._enter(HALF_OPEN)
        if self._is_probing:
            raise CircuitOpen(0.0)
        self._is_probing = True
        return self._changes

    @property
    def has_trial(self) -> bool:
        """Whether `admit`, of a circuit that is not closed, would admit a request now."""
        return not self._is_probing and self._clock() >= self._retry_at

    def succeeded(self, admitted: int) -> None:
        """An answer arrived, whatever its status."""
        if admitted != self._changes:
            return
        self._timeouts = 0
        if self.state is CLOSED:
            self._bucket()[0] += 1
        else:
            self._is_probing = False
            self._successes += 1
            if self._successes >= CLOSE_AFTER:
                self._enter(CLOSED)

    def failed(self, admitted: int, *, is_timeout: bool = False) -> None:
        """No answer, or a broken one."""
        if admitted != self._changes:
            return
        if self.state is HALF_OPEN:
            self._open()
        else:
            self._timeouts = self._timeouts + 1 if is_timeout else 0
            bucket = self._bucket()
            bucket[0] += 1
            bucket[1] += 1
            requests = sum(requests for requests, _ in self._buckets)
            failures = sum(failures for _, failures in self._buckets)
            is_failing = requests >= LEAST_REQUESTS and failures >= self._failure_rate * requests
            if is_failing or self._timeouts >= self._max_timeouts:
                self._open()

    def ignored(self, admitted: int) -> None:
        """The request ended because of the client or of this process, not of the service."""
        if admitted == self._changes:
            self._is_probing = False

    def _open(self) -> None:
        self._reset()
        # Jitter, so that replicas do not probe in step.
        self._retry_at = self._clock() + OPEN_SECONDS * random.uniform(0.8, 1.2)  # noqa: S311
        self._enter(OPEN)

    def _bucket(self) -> list[int]:
        second = int(self._clock())
        gone = second - self._second
        if gone:
            for offset in range(1, min(gone, WINDOW_SECONDS) + 1):
                self._buckets[(self._second + offset) % WINDOW_SECONDS] = [0, 0]
            self._second = second
        return self._buckets[second % WINDOW_SECONDS]
