"""Bar charts as numbers for the template's SVG: one slot an interval, newest at the right, 0 at the bottom."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10

from gateway_site.status.history import SLOTS, Interval
from gateway_site.status.wording import duration, rate

SLOT, HEIGHT = 10, 100
"""Of the SVG's own units, which the page stretches."""

LEAST_HEIGHT = 1.5
"""What is not nothing must be seen."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle; `kind` is its class in the style sheet, `label` what is said of its interval."""

    x: int
    y: float
    height: float
    kind: str
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """`top` is what the upper edge stands for; `summary` says for a reader who does not see it what it shows."""

    top: str
    bars: list[Bar]
    summary: str


def rates(intervals: Sequence[Interval]) -> Chart:
    """Requests a second, those that failed within them."""
    top = ceiling(max((interval.rate for interval in intervals), default=0.0), least=1.0)
    bars = []
    for x, interval in _slots(intervals):
        label = f"{rate(interval.rate)}/s, {interval.failures:,.0f} of {interval.requests:,.0f} failed"
        failed = interval.failures / interval.seconds
        bars += [_bar(x, interval.rate, top, "all", label), _bar(x, failed, top, "bad", label)]
    peak = max((interval.rate for interval in intervals), default=0.0)
    return Chart(
        f"{rate(top)}/s", _visible(bars), f"Requests a second over the last five minutes, {rate(peak)} at most"
    )


def durations(intervals: Sequence[Interval]) -> Chart:
    """The 99th percentile, the median within it."""
    slowest = [interval.quantile(0.99) or 0.0 for interval in intervals]
    top = ceiling(max(slowest, default=0.0), least=0.001)
    bars = []
    for (x, interval), high in zip(_slots(intervals), slowest, strict=True):
        middle = interval.quantile(0.5) or 0.0
        label = f"half within {duration(middle)}, 99 % within {duration(high)}"
        bars += [_bar(x, high, top, "high", label), _bar(x, middle, top, "all", label)]
    worst = max(slowest, default=0.0)
    summary = f"Durations over the last five minutes; of the slowest five seconds 99 % within {duration(worst)}"
    return Chart(duration(top), _visible(bars), summary)


def ceiling(value: float, least: float) -> float:
    """The next of 1, 2, 5, 10, 20, … above."""
    value = max(value, least)
    power = 10.0 ** floor(log10(value))
    return next(step * power for step in (1, 2, 5, 10) if value <= step * power * 1.000_001)


def _slots(intervals: Sequence[Interval]) -> list[tuple[int, Interval]]:
    first = SLOTS - len(intervals)
    return [((first + position) * SLOT, interval) for position, interval in enumerate(intervals)]


def _bar(x: int, value: float, top: float, kind: str, label: str) -> Bar:
    height = round(max(LEAST_HEIGHT, value / top * HEIGHT), 1) if value else 0.0
    return Bar(x, round(HEIGHT - height, 1), height, kind, label)


def _visible(bars: list[Bar]) -> list[Bar]:
    return [bar for bar in bars if bar.height]
