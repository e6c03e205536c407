"""The time left for a request. The gateway sends it with the request; every wait for a dependency is bounded by it."""

import time
from contextvars import ContextVar

HEADER = b"x-request-timeout-ms"

_end: ContextVar[float | None] = ContextVar("deadline", default=None)


def start(milliseconds: bytes | None, started: float) -> None:
    """Sets the deadline of the request that arrived at `started` (time.perf_counter); none without a number."""
    if milliseconds is None or not milliseconds.isdigit():
        _end.set(None)
    else:
        _end.set(started + int(milliseconds[:9]) / 1000)


def left(longest: float) -> float:
    """Seconds that a wait may take: `longest`, or the time left of the request, but at least 1 ms."""
    end = _end.get()
    if end is None:
        return longest
    return max(0.001, min(longest, end - time.perf_counter()))
