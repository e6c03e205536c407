"""Our histogram and counter export what prometheus_client's own export."""

import random

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.openmetrics.exposition import generate_latest

from common.observability.durations import Durations, SharedDurations
from common.observability.metrics import BUCKETS, LABELS


def test_the_export_is_that_of_prometheus_client() -> None:
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
