"""The number of requests that this process serves now."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Load:
    """`with in_flight:` counts a request. A plain int, because every request compares it with the limit."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> None:
        self.count += 1

    def __exit__(self, *error: Any) -> None:
        self.count -= 1

    @contextmanager
    def paused(self) -> Iterator[None]:
        """While a request waits for its client or for its refusal: waiting is not load."""
        self.count -= 1
        try:
            yield
        finally:
            self.count += 1


in_flight = Load()
