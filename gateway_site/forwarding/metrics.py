"""The gateway's own metrics."""

from collections.abc import Callable
from functools import lru_cache

from prometheus_client import Counter, Gauge, Histogram

from common.observability.methods import METHODS
from common.observability.metrics import BUCKETS, samplers

UPSTREAM_DURATION = Histogram(
    "upstream_request_duration_seconds",
    "From sending a request to the end of its answer's head and first bytes",
    ("service", "method", "status_code"),
    buckets=BUCKETS,
)


@lru_cache(maxsize=2048)
def _child(service: str, method: str, outcome: str) -> Histogram:
    return UPSTREAM_DURATION.labels(service, method, outcome)


def observe_upstream(service: str, method: str, outcome: str, seconds: float) -> None:
    """Counts one upstream request; `outcome` is its status, or the kind of error where there was no answer."""
    _child(service, method if method in METHODS else "OTHER", outcome).observe(seconds)


RETRIES = Counter("upstream_retries", "Requests sent again, by what went wrong before", ("service", "reason"))
CIRCUIT = Gauge("upstream_circuit_state", "0 closed, 1 half-open, 2 open", ("service",), multiprocess_mode="livemax")


def count_retry(service: str, reason: str) -> None:
    """Counts a request that is sent again; `reason` is the kind of error."""
    RETRIES.labels(service, reason).inc()


def circuit_state(service: str, state: Callable[[], float]) -> None:
    """Shows a circuit's state; of several workers' the worst."""
    gauge = CIRCUIT.labels(service)
    samplers.append(lambda: gauge.set(state()))
