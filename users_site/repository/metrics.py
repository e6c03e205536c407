"""Durations of the commands to Redis."""

from functools import lru_cache

from prometheus_client import Histogram

BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

REDIS_DURATION = Histogram(
    "redis_operation_duration_seconds", "From issue to reply", ("operation", "status"), buckets=BUCKETS
)


@lru_cache(maxsize=256)
def _child(operation: str, status: str) -> Histogram:
    return REDIS_DURATION.labels(operation, status)


def observe_redis(operation: str, status: str, seconds: float) -> None:
    """Counts one command; both labels come from the repository's closed sets."""
    _child(operation, status).observe(seconds)
