"""What a scrape reads is what prometheus_client itself would write, byte for byte, in both formats."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import choose_encoder
from prometheus_client.openmetrics.exposition import generate_latest as generate_latest_openmetrics
from prometheus_client.registry import Collector

import common.observability.metrics  # noqa: F401 - ours are in REGISTRY, and `_created` samples are off
from common.observability.exposition import CONTENT_TYPES, OPENMETRICS, PLAIN, Exposition, chosen

FORMATS = pytest.mark.parametrize(
    ("ours", "theirs"),
    [(PLAIN, generate_latest), (OPENMETRICS, generate_latest_openmetrics)],
    ids=["plain", "openmetrics"],
)


def example(label: str, value: float) -> CollectorRegistry:
    """A metric of each type, with and without labels, and an exemplar."""
    registry = CollectorRegistry()
    Gauge("a_gauge", 'With "quotes", a \\ and a\nnew line', registry=registry).set(value)
    Gauge("b_gauge", "With labels", ("z", "a"), registry=registry).labels(label, "x").set(-value)
    Counter("c", "Counted", ("path",), registry=registry).labels(label).inc(abs(value))
    Gauge("d_gauge", "With labels, and none yet", ("z",), registry=registry)
    histogram = Histogram("e_seconds", "Took", ("path",), unit="seconds", registry=registry)
    histogram.labels(label).observe(value, {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736"})
    histogram.labels("other").observe(0.1)
    return registry


@FORMATS
@given(
    label=st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    | st.sampled_from(['"', "\\", "\n", "# EOF\n", "0.0\n"]),
    value=st.floats() | st.integers(-(10**20), 10**20).map(float),
)
def test_it_is_what_the_library_writes(
    ours: Exposition, theirs: Callable[[Collector], bytes], label: str, value: float
) -> None:
    registry = example(label, value)
    for _ in range(2):  # written anew, and kept
        assert ours.text(registry) == theirs(registry)


@FORMATS
def test_so_is_our_own_registry(ours: Exposition, theirs: Callable[[Collector], bytes]) -> None:
    def still(text: bytes) -> list[bytes]:
        return [line for line in text.splitlines() if not line.startswith((b"process_", b"python_gc_"))]

    assert still(ours.text(REGISTRY)) == still(theirs(REGISTRY))
    assert b"_created" not in ours.text(REGISTRY)


@pytest.mark.parametrize(
    ("accept", "format_"),
    [
        ("", PLAIN),
        ("*/*", PLAIN),
        ("text/plain;version=1.0.0", PLAIN),
        ("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75", OPENMETRICS),
        ("application/openmetrics-text;version=1.0.0;escaping=dots;q=0.6,text/plain", OPENMETRICS),
        ("application/openmetrics-text;version=none, text/plain", PLAIN),
    ],
)
def test_the_client_chooses_the_format(accept: str, format_: Exposition) -> None:
    assert chosen(accept) is format_


def test_the_content_types_are_the_librarys() -> None:
    assert CONTENT_TYPES[PLAIN] == choose_encoder("")[1]
    assert CONTENT_TYPES[OPENMETRICS] == choose_encoder("application/openmetrics-text;version=1.0.0")[1]
