"""The HTTP metrics of both services, and /metrics. Label values are closed sets: nothing a client sends adds one.

With one worker (the default) values live in the process. With `WEB_CONCURRENCY` above 1 they live in files that the workers
share (prometheus_client's multi-process mode, set up in server.py), so that any worker's /metrics answers for all.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from django.conf import settings
from django.http import HttpResponse
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.registry import Collector

from common.http.methods import METHODS
from common.http.response import RawResponse
from common.http.views import View, safe
from common.observability import tracing
from common.observability.exposition import CONTENT_TYPES, chosen
from common.observability.json_logging import stdout
from common.observability.load import in_flight

if TYPE_CHECKING:
    from common.http.request import Request

disable_created_metrics()  # type: ignore[no-untyped-call] # when each series began: a tenth of all lines, and nothing here reads it

MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR" in os.environ

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds. 0.3 is the latency objective's bound, so that its alert reads a bucket and interpolates nothing."""

SAMPLE_SECONDS = 0.5

LABELS = ("method", "route", "status_code")
REQUESTS = Counter("http_requests", "HTTP requests answered", LABELS)
DURATION = Histogram("http_request_duration_seconds", "From request head to last byte sent", LABELS, buckets=BUCKETS)
IN_FLIGHT = Gauge("http_requests_in_flight", "HTTP requests being served", multiprocess_mode="livesum")
LAG = Histogram("event_loop_lag_seconds", "How late the event loop wakes, sampled twice a second", buckets=BUCKETS)
BUILD_INFO = Gauge(
    "build_info", "1, with what runs here as labels", ("service", "version", "revision"), multiprocess_mode="max"
)
BUILD_INFO.labels(settings.SERVICE, settings.APP_VERSION, settings.APP_REVISION).set(1)


DROPPED = Counter("log_lines_dropped", "Log lines dropped because nobody read stdout")

samplers: list[Callable[[], None]] = [lambda: IN_FLIGHT.set(in_flight.count)]
"""What sets gauges from values that change too often to set a gauge each time."""

collectors: list[Collector] = []
"""A site's own collectors, beside the metrics that register themselves."""


class Dropped:
    """How many dropped lines the counter has been told of."""

    told = 0


def count_dropped_lines() -> None:
    """Brings the counter up to what stdout says."""
    new, Dropped.told = stdout.dropped - Dropped.told, stdout.dropped
    DROPPED.inc(new)


samplers.append(count_dropped_lines)

if MULTIPROCESS:
    from common.observability.workers import WorkersCollector, count_garbage

    samplers.append(count_garbage)


@lru_cache(maxsize=4096)
def _children(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    # labels() costs 4 µs, a kept child 1.4. Bounded by methods x routes x statuses, all closed.
    labels = (method if method in METHODS else "OTHER", route, str(status))
    return REQUESTS.labels(*labels), DURATION.labels(*labels)


def observe(method: str, route: str, status: int, seconds: float) -> None:
    """Counts one answered request, with its trace as the exemplar where it is traced."""
    requests, duration = _children(method if method in METHODS else "OTHER", route, status)
    requests.inc()
    duration.observe(seconds, tracing.exemplar() if tracing.is_on else None)


async def sample() -> None:
    """Runs for ever: the event loop's lag, and what `samplers` set."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + SAMPLE_SECONDS
        await asyncio.sleep(SAMPLE_SECONDS)
        LAG.observe(max(0.0, loop.time() - due))
        for sampler in samplers:
            sampler()


def registry() -> CollectorRegistry:
    """What a scrape reads."""
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


def metrics(before_scrape: Sequence[Callable[[], Awaitable[None]]]) -> View:
    """The view of the exposition, OpenMetrics (with exemplars) when asked for.

    `before_scrape` is awaited first; each bounds its own time and raises nothing.
    """

    @safe
    async def view(request: "Request") -> HttpResponse:
        for look_up in before_scrape:
            await look_up()
        for sampler in samplers:
            sampler()
        exposition = chosen(request.header(b"accept") or "")
        return RawResponse(200, [(b"content-type", CONTENT_TYPES[exposition].encode())], exposition.text(registry()))

    return view
