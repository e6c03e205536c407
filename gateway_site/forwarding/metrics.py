"""Metrics of requests to upstreams. `service` is a name of the table: a closed set."""

from functools import lru_cache

from prometheus_client import Counter, Gauge

from common.observability.durations import histogram
from common.observability.metrics import BUCKETS
from common.observability.tracing import METHODS

LABELS = ("service", "method", "status_code")
UPSTREAM_DURATION = histogram(
    "upstream_request_duration_seconds", "Time until the head and the first bytes of the answer", LABELS, BUCKETS
)
RETRIES = Counter("upstream_retries", "Retries, by the previous failure", ("service", "reason"))
CIRCUIT = Gauge("upstream_circuit_state", "0 closed, 1 half-open, 2 open", ("service",), multiprocess_mode="livemax")
ADDRESSES = Gauge(
    "upstream_addresses", "Addresses of upstreams that have several", ("service", "state"), multiprocess_mode="livemax"
)
EJECTIONS = Counter("upstream_ejections", "Ejected addresses, by failure", ("service", "reason"))
CACHED = Counter(
    "cache_requests", "Requests of routes with a cache: hit, miss, revalidated, stale, bypass", ("route", "outcome")
)
STREAMS = Gauge("upstream_streams", "Open streams and WebSockets", ("service",), multiprocess_mode="livesum")
REFUSED = Gauge(
    "routes_refused",
    "1 while the file of ROUTES, or one that it names, is invalid: the previous table stays active",
    multiprocess_mode="livemax",
)


def observe_upstream(service: str, method: str, outcome: str | int, seconds: float) -> None:
    """Counts one upstream request; `outcome` is its status, or the kind of failure without one."""
    UPSTREAM_DURATION.observe((service, method if method in METHODS else "OTHER", outcome), seconds)


cached = lru_cache(maxsize=2048)(CACHED.labels)
"""The counter of a route and an outcome."""
