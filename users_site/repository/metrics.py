"""Durations of the commands to Redis."""

from bisect import bisect_left
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate

from prometheus_client import REGISTRY, Histogram
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from common.observability.metrics import MULTIPROCESS

LABELS = ("operation", "status")
BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_BOUNDS = [*map(floatToGoString, BUCKETS), "+Inf"]

REDIS_DURATION = Histogram(
    "redis_operation_duration_seconds",
    "From issue to reply",
    LABELS,
    buckets=BUCKETS,
    registry=REGISTRY if MULTIPROCESS else None,
)


class Durations(Collector):
    """A histogram of one process: a page over 64 partitions has some 100 commands, and prometheus_client's takes 1.2 µs for
    each, a fifth of their cost; this one 0.3."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], list[float]] = {}  # for each bucket how many, then the sum

    def observe(self, operation: str, status: str, seconds: float) -> None:
        """Counts one command; both labels come from the repository's closed sets."""
        values = self._found.get((operation, status))
        if values is None:
            values = self._found[operation, status] = [0.0] * (len(_BOUNDS) + 1)
        values[bisect_left(BUCKETS, seconds)] += 1
        values[-1] += seconds

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """The durations so far."""
        (described,) = REDIS_DURATION.describe()
        family = HistogramMetricFamily(described.name, described.documentation, labels=LABELS)
        for labels, (*counts, total) in self._found.items():
            family.add_metric(labels, [*zip(_BOUNDS, accumulate(counts), strict=True)], total)
        yield family


if MULTIPROCESS:  # its values must lie in the files that the workers share
    _child = lru_cache(maxsize=256)(REDIS_DURATION.labels)

    def observe_redis(operation: str, status: str, seconds: float) -> None:
        """As Durations.observe."""
        _child(operation, status).observe(seconds)

else:
    _durations = Durations()
    REGISTRY.register(_durations)
    observe_redis = _durations.observe
