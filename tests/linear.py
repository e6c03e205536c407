"""Proves that a parser of client input is linear: four times the input takes about four times as long."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

FACTOR = 4
SLACK = 2.5
"""A quadratic parser takes FACTOR times longer still, which is above this."""


def assert_linear(parse: Callable[[Any], object], make: Callable[[int], Any], size: int) -> None:
    """`make(n)` is input of size n. `parse` may refuse it with an exception: refusing must be linear too."""
    small, large = _seconds(parse, make(size)), _seconds(parse, make(FACTOR * size))
    assert large < FACTOR * SLACK * max(small, 50e-6), f"{small * 1e6:.0f} µs, then {large * 1e6:.0f} µs"


def _seconds(parse: Callable[[Any], object], given: Any) -> float:
    best = float("inf")
    for _ in range(7):
        started = time.thread_time()
        with suppress(Exception):
            parse(given)
        best = min(best, time.thread_time() - started)
    return best
