"""/metrics in both formats: django-prometheus's text, and OpenMetrics with exemplars for scrapers that ask for it."""

import random

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

from common.observability.durations import Durations, SharedDurations
from common.observability.metrics import BUCKETS, LABELS
from tests.application import application
from tests.in_process import call

OPENMETRICS = b"application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


@pytest.mark.parametrize(
    ("accept", "content_type", "parse"),
    [
        (b"*/*", "text/plain", plain),
        (b"text/plain", "text/plain", plain),
        (b"application/openmetrics-text;version=x", "text/plain", plain),
        (OPENMETRICS, "application/openmetrics-text", openmetrics),
    ],
)
async def test_the_format_follows_accept(accept: bytes, content_type: str, parse: type) -> None:
    answer = await call(application(), "/metrics", headers=((b"accept", accept),))
    assert answer.values("content-type")[0].startswith(content_type)
    families = {family.name for family in parse(answer.body.decode())}
    assert families >= {"http_requests", "http_request_duration_seconds", "http_requests_in_flight", "build_info"}


def test_our_histogram_exports_what_prometheus_clients_does() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    declared = Histogram("t_seconds", "T", LABELS, buckets=BUCKETS, registry=theirs)
    shared = SharedDurations(declared, Counter("t", "N", LABELS, registry=theirs))
    durations = Durations("t_seconds", "T", LABELS, BUCKETS, Counter("t", "N", LABELS, registry=None))
    ours.register(durations)
    chance = random.Random(7)
    for _ in range(500):
        labels = chance.choice(("GET", "PUT")), "/users", chance.choice((200, 404))
        seconds = chance.choice((*BUCKETS, chance.uniform(0, 20)))
        for each in (durations, shared):
            each.observe(labels, seconds)
    assert generate_latest(ours) == generate_latest(theirs)
    durations.observe(("GET", "/users", 200), 0.002, {"trace_id": "1"})
    assert b'le="0.0025",method="GET",route="/users",status_code="200"} ' in generate_latest(ours)
    assert b'# {trace_id="1"} 0.002' in generate_latest(ours)
