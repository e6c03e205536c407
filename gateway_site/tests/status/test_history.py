"""The samples behind the status page: what they count, how durations are computed, and that their number is bounded."""

import pytest
from prometheus_client import CollectorRegistry, Histogram

from common.observability.metrics import BUCKETS, LABELS
from gateway_site.status.history import SLOTS, STEP_SECONDS, History
from gateway_site.tests.clock import Clock


class Traffic:
    """Answers over time, and their history."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.histogram = Histogram("t", "t", LABELS, buckets=BUCKETS, registry=CollectorRegistry())
        self.history = History(self.histogram, self.clock)

    def answer(
        self, seconds: float = 0.01, status: str = "200", route: str = "/api/users/{id}", times: int = 1
    ) -> None:
        for _ in range(times):
            self.histogram.labels("GET", route, status).observe(seconds)

    def step(self) -> None:
        self.clock.now += STEP_SECONDS
        self.history.sample()


@pytest.fixture
def traffic() -> Traffic:
    return Traffic()


def test_interval_counts_requests_to_the_api_and_those_that_failed(traffic: Traffic) -> None:
    for status in ("200", "201", "404", "503", "499"):
        traffic.answer(status=status)
    for route in ("/health/live", "/metrics", "unmatched", "/api/users-of-another-service"):
        traffic.answer(route=route)
    traffic.step()
    (interval,) = traffic.history.intervals()
    assert (interval.requests, interval.failures) == (5, 1)
    assert (interval.rate, interval.failure_share) == (1.0, 0.2)


def test_interval_holds_what_happened_within_it(traffic: Traffic) -> None:
    traffic.answer()
    traffic.history = History(traffic.histogram, traffic.clock)
    for times in (1, 0, 2):
        traffic.answer(times=times)
        traffic.step()
    assert [interval.requests for interval in traffic.history.intervals()] == [1, 0, 2]


def test_quantiles_are_those_of_promql(traffic: Traffic) -> None:
    traffic.answer(0.004, times=90)  # in (0.0025, 0.005]
    traffic.answer(0.2, "404", times=10)  # in (0.1, 0.25]
    traffic.step()
    (interval,) = traffic.history.intervals()
    assert interval.quantile(0.5) == pytest.approx(0.0025 + 0.0025 * 50 / 90)
    assert interval.quantile(0.99) == pytest.approx(0.1 + 0.15 * 9 / 10)


def test_without_requests_there_is_no_duration_and_beyond_the_last_bucket_its_bound(traffic: Traffic) -> None:
    for times in (0, 1):
        traffic.answer(100, times=times)
        traffic.step()
    nothing, slow = traffic.history.intervals()
    assert (nothing.quantile(0.5), nothing.failure_share) == (None, 0.0)
    assert slow.quantile(0.99) == BUCKETS[-1]


def test_only_the_last_five_minutes_are_kept_however_often_a_sample_is_taken(traffic: Traffic) -> None:
    for _ in range(3 * SLOTS):
        traffic.step()
        traffic.history.sample()
    assert len(traffic.history.intervals()) == SLOTS
    assert sum(interval.seconds for interval in traffic.history.intervals()) == 300


def test_last_minute_is_one_interval(traffic: Traffic) -> None:
    assert traffic.history.latest(60) is None
    for _ in range(24):
        traffic.answer()
        traffic.step()
    last = traffic.history.latest(60)
    assert last is not None
    assert (last.seconds, last.requests) == (60, 12)
