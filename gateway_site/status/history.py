"""The last five minutes of the API, in samples of the gateway's own metrics: a ring of bounded size.

The timer of the gauges takes the samples, so requests cost nothing. With `WEB_CONCURRENCY` above 1 each worker has its
own.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable
from datetime import timedelta
from itertools import pairwise
from typing import NamedTuple, Protocol

from prometheus_client.metrics_core import Metric

from common.observability.metrics import BUCKETS, DURATION
from gateway_site.routes.reading import is_below
from gateway_site.routes.table import USERS

STEP_SECONDS = 5.0
SLOTS = 60
POSITIONS = {bound: position for position, bound in enumerate((*BUCKETS, float("inf")))}


class Interval(NamedTuple):
    """The counts of some seconds: requests, 5xx answers, and for each bucket the requests within its bound."""

    seconds: float
    requests: float
    failures: float
    buckets: tuple[float, ...]

    def since(self, earlier: "Interval") -> "Interval":
        buckets = tuple(new - old for new, old in zip(self.buckets, earlier.buckets, strict=True))
        return Interval(
            self.seconds - earlier.seconds, self.requests - earlier.requests, self.failures - earlier.failures, buckets
        )

    @property
    def rate(self) -> float:
        return self.requests / self.seconds

    @property
    def failure_share(self) -> float:
        return self.failures / self.requests if self.requests else 0.0

    def quantile(self, share: float) -> float | None:
        """The duration that this share of the requests did not exceed, computed as by PromQL's histogram_quantile."""
        if not self.requests:
            return None
        wanted = share * self.buckets[-1]
        position = next(i for i, count in enumerate(self.buckets) if count >= wanted)
        if position == len(BUCKETS):
            return BUCKETS[-1]
        below, lower = (self.buckets[position - 1], BUCKETS[position - 1]) if position else (0.0, 0.0)
        within = self.buckets[position] - below
        return lower + (BUCKETS[position] - lower) * ((wanted - below) / within if within else 0.0)


class Collects(Protocol):
    def collect(self) -> Iterable[Metric]: ...


def read(histogram: Collects, at: float) -> Interval:
    """From the start to `at`: the sum over the API's routes."""
    requests = failures = 0.0
    buckets = [0.0] * len(POSITIONS)
    family, *_ = histogram.collect()
    for name, labels, value, *_ in family.samples:
        if not is_below(labels["route"], USERS):  # probes, scrapes and this page would hide the API
            continue
        if name.endswith("_bucket"):
            buckets[POSITIONS[float(labels["le"])]] += value
        elif name.endswith("_count"):
            requests += value
            failures += value if labels["status_code"].startswith("5") else 0.0
    return Interval(at, requests, failures, tuple(buckets))


class History:
    """The counts at each of the last SLOTS steps."""

    def __init__(self, histogram: Collects = DURATION, clock: Callable[[], float] = time.monotonic) -> None:
        self._histogram, self._clock = histogram, clock
        self._started = clock()
        self._samples = deque([read(histogram, self._started)], maxlen=SLOTS + 1)

    def sample(self) -> None:
        """Takes a sample if it is time for one; may be called more often."""
        now = self._clock()
        if now - self._samples[-1].seconds >= STEP_SECONDS:
            self._samples.append(read(self._histogram, now))

    def intervals(self) -> list[Interval]:
        """At most SLOTS, oldest first; empty until the first is over."""
        return [later.since(earlier) for earlier, later in pairwise(self._samples)]

    def latest(self, seconds: float) -> Interval | None:
        """The last `seconds` or slightly more as one; None before the first sample."""
        *older, last = self._samples
        first = next((each for each in reversed(older) if each.seconds <= last.seconds - seconds), self._samples[0])
        return last.since(first) if older else None

    @property
    def uptime(self) -> timedelta:
        return timedelta(seconds=int(self._clock() - self._started))
