"""Parses RATE_LIMIT: `100/s;burst=200`. The settings import it, so it must not import them."""

import re
from dataclasses import dataclass
from math import ceil

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
MOST = 1_000_000
"""The largest number of requests, in a period and at once: beyond it a microsecond, the store's unit, is too coarse."""

WRITTEN = "a limit like 100/s or 100/s;burst=200 (a whole number per s, m, h or d)"

_FORM = re.compile(r"(\d{1,7})\s*/\s*([smhd])\s*(?:;\s*burst\s*=\s*(\d{1,7})\s*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` requests in `period` seconds on average, and up to `burst` at once."""

    count: int
    period: int
    burst: int

    def __str__(self) -> str:
        return f"{self.count} in {self.period} s, burst {self.burst}"

    @property
    def interval(self) -> float:
        return self.period / self.count

    @property
    def refill(self) -> int:
        """Seconds until a whole burst is available again, rounded up."""
        return max(1, ceil(self.burst * self.interval))


def parse(text: str) -> Rate | None:
    """The limit; None for `none`. Raises ValueError."""
    if text.strip().lower() in {"", "none"}:
        return None
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise ValueError(text)
    count, burst = int(match[1]), int(match[3] or match[1])
    if not (1 <= count <= MOST and 1 <= burst <= MOST):
        raise ValueError(text)
    return Rate(count, SECONDS[match[2]], burst)
