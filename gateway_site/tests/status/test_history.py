"""The samples behind the status page: what they count, how durations are computed, and that their number is bounded."""

import pytest
from prometheus_client import CollectorRegistry, Histogram

from common.observability.metrics import BUCKETS, LABELS
from gateway_site.status.history import SLOTS, STEP_SECONDS, History
from gateway_site.tests.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def histogram() -> Histogram:
    return Histogram("t", "t", LABELS, buckets=BUCKETS, registry=CollectorRegistry())


@pytest.fixture
def history(histogram: Histogram, clock: Clock) -> History:
    return History(histogram, clock)


def answer(histogram: Histogram, seconds: float, status: str = "200", route: str = "/api/users/{id}") -> None:
    histogram.labels("GET", route, status).observe(seconds)


def step(history: History, clock: Clock) -> None:
    clock.now += STEP_SECONDS
    history.sample()


def test_interval_counts_requests_to_the_api_and_those_that_failed(
    history: History, histogram: Histogram, clock: Clock
) -> None:
    for status in ("200", "201", "404", "503", "499"):
        answer(histogram, 0.01, status)
    answer(histogram, 0.01, route="/health/live")
    answer(histogram, 0.01, route="/metrics")
    answer(histogram, 0.01, route="unmatched")
    answer(histogram, 0.01, route="/api/users-of-another-service")
    step(history, clock)
    (interval,) = history.intervals()
    assert (interval.requests, interval.failures) == (5, 1)
    assert (interval.rate, interval.failure_share) == (1.0, 0.2)


def test_interval_holds_what_happened_within_it(histogram: Histogram, clock: Clock) -> None:
    answer(histogram, 0.01)
    history = History(histogram, clock)
    answer(histogram, 0.01)
    step(history, clock)
    step(history, clock)
    answer(histogram, 0.01)
    answer(histogram, 0.01)
    step(history, clock)
    assert [interval.requests for interval in history.intervals()] == [1, 0, 2]


def test_quantiles_are_those_of_promql(history: History, histogram: Histogram, clock: Clock) -> None:
    for _ in range(90):
        answer(histogram, 0.004)  # in (0.0025, 0.005]
    for _ in range(10):
        answer(histogram, 0.2, "404")  # in (0.1, 0.25]
    step(history, clock)
    (interval,) = history.intervals()
    assert interval.quantile(0.5) == pytest.approx(0.0025 + 0.0025 * 50 / 90)
    assert interval.quantile(0.99) == pytest.approx(0.1 + 0.15 * 9 / 10)


def test_quantile_beyond_the_last_bucket_is_its_bound(history: History, histogram: Histogram, clock: Clock) -> None:
    answer(histogram, 100)
    step(history, clock)
    assert history.intervals()[0].quantile(0.99) == BUCKETS[-1]


def test_without_requests_there_is_no_duration(history: History, clock: Clock) -> None:
    step(history, clock)
    (interval,) = history.intervals()
    assert (interval.quantile(0.5), interval.failure_share) == (None, 0.0)


def test_only_the_last_five_minutes_are_kept_however_often_a_sample_is_taken(history: History, clock: Clock) -> None:
    for _ in range(3 * SLOTS):
        step(history, clock)
        history.sample()
    assert len(history.intervals()) == SLOTS
    assert sum(interval.seconds for interval in history.intervals()) == 300


def test_last_minute_is_one_interval(history: History, histogram: Histogram, clock: Clock) -> None:
    assert history.latest(60) is None
    for _ in range(24):
        answer(histogram, 0.01)
        step(history, clock)
    last = history.latest(60)
    assert last is not None
    assert (last.seconds, last.requests) == (60, 12)
