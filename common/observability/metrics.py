"""The HTTP metrics of both services. Label values are closed sets: no request can add one.

With one worker (the default) values are in the process. With `WEB_CONCURRENCY` above 1 they are in files that the workers
share (prometheus_client's multi-process mode, set up by the server), so that any worker answers /metrics for all.
"""

import asyncio
from collections.abc import Callable, Iterable

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.registry import Collector

from common.observability import tracing
from common.observability.durations import MULTIPROCESS, SHARED, histogram
from common.observability.json_logging import stdout
from common.observability.load import in_flight

# The start time of each series: a tenth of all lines, and none of our rules reads it.
disable_created_metrics()  # type: ignore[no-untyped-call]

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.3, 0.5, 1.0, 2.5, 5.0, 5.25, 10.0)
"""Seconds. 0.3 is the bound of the latency objective; 5 to 5.25 contains time-outs, whose p99 would otherwise be near
10."""

SAMPLE_SECONDS = 0.5

LABELS = ("method", "route", "status_code")
REQUESTS = Counter("http_requests", "HTTP requests answered", LABELS, registry=SHARED)
DURATION = histogram("http_request_duration_seconds", "From request head to last byte sent", LABELS, BUCKETS, REQUESTS)
IN_FLIGHT = Gauge("http_requests_in_flight", "HTTP requests being served", multiprocess_mode="livesum")
LAG = Histogram("event_loop_lag_seconds", "How late the event loop wakes, sampled twice a second", buckets=BUCKETS)
BUILD_INFO = Gauge(
    "build_info", "1, with versions as labels", ("service", "version", "revision"), multiprocess_mode="max"
)
DROPPED = Counter("log_lines_dropped", "Log lines dropped, because stdout was not read")

collectors: list[Collector] = []
"""A site's own collectors, besides the metrics that register themselves."""

if MULTIPROCESS:
    from common.observability.workers import WorkersCollector, count_garbage


def observe(method: str, route: str, status: int, seconds: float) -> None:
    """Counts one answered request; its trace, if any, is the exemplar."""
    labels = (method if method in tracing.METHODS else "OTHER", route, status)
    DURATION.observe(labels, seconds, tracing.exemplar() if tracing.is_on else None)


def sample_process() -> None:
    """Sets the metrics whose values change too often for setting them each time."""
    IN_FLIGHT.set(in_flight.count)
    DROPPED.inc(stdout.take_dropped())
    if MULTIPROCESS:
        count_garbage()


async def sample(samplers: Iterable[Callable[[], None]]) -> None:
    """Samples the event-loop lag and the process, and calls each of `samplers`, twice a second until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        sample_process()
        for sampler in samplers:
            sampler()
        due = loop.time() + SAMPLE_SECONDS
        await asyncio.sleep(SAMPLE_SECONDS)
        LAG.observe(max(0.0, loop.time() - due))


def registry() -> CollectorRegistry:
    """The registry for a scrape; with several workers, one with the values of all."""
    if not MULTIPROCESS:
        return REGISTRY
    from prometheus_client.multiprocess import MultiProcessCollector

    shared = CollectorRegistry()
    MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
    for collector in (WorkersCollector(), *collectors):
        shared.register(collector)
    return shared


def collect_with(collector: Collector) -> None:
    """Adds a site's own collector to every scrape."""
    collectors.append(collector)
    REGISTRY.register(collector)
