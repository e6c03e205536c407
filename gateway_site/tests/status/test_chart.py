"""The charts and figures of the status page: to scale, never off the paper, and readable."""

from collections.abc import Callable

import pytest

from common.observability.metrics import BUCKETS
from gateway_site.status import chart, formatting
from gateway_site.status.history import SLOTS, Interval


def interval(requests: float, failures: float = 0, bucket: int = 3) -> Interval:
    """Five seconds of requests that all took what a bucket holds."""
    return Interval(5.0, requests, failures, tuple(requests if i >= bucket else 0 for i in range(len(BUCKETS) + 1)))


@pytest.mark.parametrize(
    ("value", "top"), [(0, 1), (0.3, 1), (1.1, 2), (2, 2), (4.9, 5), (5.1, 10), (11, 20), (321, 500), (1000, 1000)]
)
def test_upper_edge_is_the_next_round_number(value: float, top: float) -> None:
    assert chart.ceiling(value, least=1.0) == top


def test_newest_interval_is_at_the_right_and_heights_are_to_scale() -> None:
    drawn = chart.rates([interval(500), interval(250)])
    assert drawn.lines == [(0.0, "100/s"), (50.0, "50/s"), (100, "0")]
    assert [(bar.x, bar.y, bar.height) for bar in drawn.bars] == [
        ((SLOTS - 2) * chart.SLOT, 0.0, 100.0),
        ((SLOTS - 1) * chart.SLOT, 50.0, 50.0),
    ]


def test_failures_are_drawn_over_all_and_one_among_many_can_be_seen() -> None:
    drawn = chart.rates([interval(500, failures=100)])
    assert [(bar.kind, bar.height) for bar in drawn.bars] == [("all", 100.0), ("bad", 20.0)]
    assert drawn.bars[0].label == "100/s, 100 of 500 failed"
    assert chart.rates([interval(100_000, failures=1)]).bars[1].height == chart.LEAST_HEIGHT


def test_durations_show_median_within_the_slowest_on_a_scale_of_powers() -> None:
    drawn = chart.durations([interval(100, bucket=4)])  # (0.01, 0.025]
    assert [bar.kind for bar in drawn.bars] == ["high", "all"]
    assert drawn.bars[0].label == "half within 18 ms, 99 % within 25 ms"
    assert drawn.bars[0].height == pytest.approx(47.9, abs=0.1)  # 2.4 powers of ten above 0.1 ms, 20 each
    assert [(round(y), label) for y, label in drawn.lines][1:5] == [
        (20, "1 s"),
        (40, "100 ms"),
        (60, "10 ms"),
        (80, "1 ms"),
    ]


def test_durations_off_the_scale_stay_on_the_paper() -> None:
    instant, endless = interval(10, bucket=0), interval(10, bucket=len(BUCKETS))
    bars = chart.durations([instant, endless]).bars
    assert all(chart.LEAST_HEIGHT <= bar.height <= chart.HEIGHT for bar in bars)
    assert bars[2].height == chart.HEIGHT


@pytest.mark.parametrize("intervals", [[], [interval(0)]])
def test_nothing_is_drawn_without_requests(intervals: list[Interval]) -> None:
    assert chart.rates(intervals).bars == chart.durations(intervals).bars == []


@pytest.mark.parametrize(
    ("form", "value", "text"),
    [
        *(
            (formatting.duration, *each)
            for each in ((0.0004, "0.4 ms"), (0.0123, "12 ms"), (1, "1 s"), (2.54, "2.5 s"))
        ),
        *((formatting.rate, *each) for each in ((0, "0"), (0.25, "0.2"), (9.0, "9"), (12.7, "13"), (3400, "3,400"))),
    ],
)
def test_figures_read_well(form: Callable[[float], str], value: float, text: str) -> None:
    assert form(value) == text
