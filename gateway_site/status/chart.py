"""Bar charts as numbers for the template's SVG: one slot an interval, newest at the right, 0 at the bottom."""

from collections.abc import Sequence
from math import floor, log10
from typing import NamedTuple

from gateway_site.status.formatting import duration, rate
from gateway_site.status.history import SLOTS, Interval

SLOT, HEIGHT = 10, 100
"""In units of the SVG, which the page scales."""

LEAST_HEIGHT = 1.5

DECADES = (10.0, 1.0, 0.1, 0.01, 0.001, 0.0001)
"""The durations with a line, on a logarithmic scale: on a linear one a slow request would flatten all others."""


class Bar(NamedTuple):
    """A rectangle; `kind` is its class in the style sheet, `label` its description."""

    x: int
    y: float
    height: float
    kind: str
    label: str


class Chart(NamedTuple):
    """`lines` are labels with their distance from the upper edge; `summary` is for screen readers."""

    lines: list[tuple[float, str]]
    bars: list[Bar]
    summary: str


def rates(intervals: Sequence[Interval]) -> Chart:
    """Requests a second, and the failed ones among them."""
    peak = max((interval.rate for interval in intervals), default=0.0)
    top = ceiling(peak, least=1.0)
    bars = []
    for x, interval in _slots(intervals):
        label = f"{rate(interval.rate)}/s, {interval.failures:,.0f} of {interval.requests:,.0f} failed"
        for kind, count in (("all", interval.requests), ("bad", interval.failures)):
            if count:
                bars.append(_bar(x, count / interval.seconds / top * HEIGHT, kind, label))
    lines = [(0.0, f"{rate(top)}/s"), (HEIGHT / 2, f"{rate(top / 2)}/s"), (HEIGHT, "0")]
    return Chart(lines, bars, f"Requests a second over the last five minutes, {rate(peak)} at most")


def durations(intervals: Sequence[Interval]) -> Chart:
    """The 99th percentile, and the median."""
    bars, worst = [], 0.0
    for x, interval in _slots(intervals):
        high, middle = interval.quantile(0.99), interval.quantile(0.5)
        if high is None or middle is None:
            continue
        worst = max(worst, high)
        label = f"half within {duration(middle)}, 99 % within {duration(high)}"
        bars += [_bar(x, _power(high), "high", label), _bar(x, _power(middle), "all", label)]
    lines = [(HEIGHT - _power(seconds), duration(seconds)) for seconds in DECADES]
    summary = f"Durations over the last five minutes; of the slowest five seconds 99 % within {duration(worst)}"
    return Chart(lines, bars, summary)


def ceiling(value: float, least: float) -> float:
    """The next of 1, 2, 5, 10, 20, … above."""
    value = max(value, least)
    power = 10.0 ** floor(log10(value))
    return next(step * power for step in (1, 2, 5, 10) if value <= step * power)


def _power(seconds: float) -> float:
    """The height of a duration on the scale of DECADES, whose last value is the bottom."""
    step = HEIGHT / (len(DECADES) - 1)
    return step * log10(max(seconds / DECADES[-1], 1.0))


def _slots(intervals: Sequence[Interval]) -> list[tuple[int, Interval]]:
    first = SLOTS - len(intervals)
    return [((first + position) * SLOT, interval) for position, interval in enumerate(intervals)]


def _bar(x: int, height: float, kind: str, label: str) -> Bar:
    height = round(min(HEIGHT, max(LEAST_HEIGHT, height)), 1)
    return Bar(x, round(HEIGHT - height, 1), height, kind, label)
