"""The remaining time of a request. The gateway forwards it with the request; it bounds every wait for a dependency."""

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
    """Seconds that a wait may take: `longest`, or less if the request has less time left, but at least 1 ms."""
    end = _end.get()
    if end is None:
        return longest
    return max(0.001, min(longest, end - time.perf_counter()))
