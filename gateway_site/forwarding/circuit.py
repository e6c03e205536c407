"""The circuit breaker: stops asking a service that fails, so that it costs milliseconds and gets room to recover."""

import random
import time
from collections.abc import Callable
from enum import IntEnum

WINDOW_SECONDS = 10
"""Over how long the failure rate is taken, in buckets of a second."""

LEAST_REQUESTS = 20
"""Fewer in the window say nothing about a rate."""

FAILURE_RATE = 0.5
OPEN_SECONDS = 1.0
"""How long it stays open (±20 %) before a first probe; a service that restarts is back within a probe of its return."""

PROBES = 1
"""How many requests may find out at once whether the service is back."""

CLOSE_AFTER = 3
"""Successes in a row that close a half-open circuit."""


class State(IntEnum):
    """As `upstream_circuit_state` shows it."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Circuit:
    """For one service, one event loop. `admit()` before a request; then exactly one of the other three."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.state = State.CLOSED
        self._second = 0
        self._buckets: list[list[int]] = []
        self._reset()

    def _reset(self) -> None:
        self._buckets = [[0, 0] for _ in range(WINDOW_SECONDS)]  # requests, failures
        self._probing = self._successes = 0
        self._retry_at = 0.0

    def admit(self) -> bool:
        """Whether a request may be sent now."""
        if self.state is State.CLOSED:
            return True
        if self.state is State.OPEN:
            if self._clock() < self._retry_at:
                return False
            self.state = State.HALF_OPEN
            self._probing = self._successes = 0
        if self._probing >= PROBES:
            return False
        self._probing += 1
        return True

    @property
    def seconds_to_probe(self) -> float:
        """When it may be worth to come again; 0 unless open."""
        return max(0.0, self._retry_at - self._clock()) if self.state is State.OPEN else 0.0

    def succeeded(self) -> None:
        """An answer came, whatever its status: the service works."""
        if self.state is State.CLOSED:
            self._bucket()[0] += 1
            return
        if self.state is State.HALF_OPEN:
            self._probing -= 1
            self._successes += 1
            if self._successes >= CLOSE_AFTER:
                self.state = State.CLOSED
                self._reset()

    def failed(self) -> None:
        """No answer, or a broken one."""
        if self.state is State.HALF_OPEN:
            self._open()
        elif self.state is State.CLOSED:
            bucket = self._bucket()
            bucket[0] += 1
            bucket[1] += 1
            requests = sum(requests for requests, _ in self._buckets)
            failures = sum(failures for _, failures in self._buckets)
            if requests >= LEAST_REQUESTS and failures >= FAILURE_RATE * requests:
                self._open()

    def forgotten(self) -> None:
        """The client went away first: says nothing about the service."""
        if self.state is State.HALF_OPEN:
            self._probing -= 1

    def _open(self) -> None:
        self._reset()
        self.state = State.OPEN
        # Jitter, so that replicas do not probe in step.
        self._retry_at = self._clock() + OPEN_SECONDS * random.uniform(0.8, 1.2)  # noqa: S311

    def _bucket(self) -> list[int]:
        second = int(self._clock())
        gone = second - self._second
        if gone:
            for offset in range(1, min(gone, WINDOW_SECONDS) + 1):
                self._buckets[(self._second + offset) % WINDOW_SECONDS] = [0, 0]
            self._second = second
        return self._buckets[second % WINDOW_SECONDS]
