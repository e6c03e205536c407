"""How much of a request's time is left: the gateway says it with the request, and what waits on its behalf asks here."""

import time
from contextvars import ContextVar

HEADER = b"x-request-timeout-ms"

_end: ContextVar[float | None] = ContextVar("deadline", default=None)


def start(milliseconds: bytes | None, started: float) -> None:
    """Sets the end of the request that came in at `started` (time.perf_counter); without a number there is none."""
    if milliseconds is None or not milliseconds.isdigit():
        _end.set(None)
    else:
        _end.set(started + int(milliseconds[:9]) / 1000)


def left(longest: float) -> float:
    """Seconds that a wait may take: `longest`, or what is left of the request's time; 1 ms at least, which fails it."""
    end = _end.get()
    if end is None:
        return longest
    return max(0.001, min(longest, end - time.perf_counter()))
