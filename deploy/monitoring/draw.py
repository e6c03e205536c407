"""Draws the dashboards as SVG from a Prometheus, for who has no Grafana at hand.

`python -m deploy.monitoring.draw --prometheus http://127.0.0.1:9090 --minutes 15 FOLDER` writes FOLDER/<dashboard>.svg.
"""

import argparse
import json
import math
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any

from deploy.monitoring.panels import ALL

DASHBOARDS = Path(__file__).resolve().parent / "dashboards"
CELL_WIDTH, CELL_HEIGHT, MARGIN = 50, 30, 8
POINTS = 90
LEGEND_ENTRIES = 6
COLOURS = ("#3274d9", "#e0752d", "#37872d", "#a352cc", "#e02f44", "#8f6b00", "#1a7f8e", "#6b6b6b")
STYLE = "text{font:12px sans-serif;fill:#222}.t{font-weight:bold}.n{font-size:26px}.a{fill:#666;font-size:10px}"


@dataclass(frozen=True)
class Series:
    """One line: its legend, and (time in seconds, value) by time."""

    legend: str
    points: list[tuple[float, float]]


@dataclass(frozen=True)
class Source:
    """A Prometheus at `url` and the span of time to draw, in seconds."""

    url: str
    start: float
    end: float

    @property
    def step(self) -> float:
        """Seconds between two points."""
        return max(1.0, (self.end - self.start) / POINTS)

    def series(self, query: str, legend: str) -> list[Series]:
        """What the query gives over the span. Raises OSError; ValueError for a query that Prometheus refuses."""
        arguments = {"query": everything(query), "start": self.start, "end": self.end, "step": self.step}
        answer = self.get("query_range", arguments)
        return [Series(label(legend, found["metric"]), numbers(found["values"])) for found in answer["result"]]

    def get(self, path: str, arguments: dict[str, Any]) -> Any:
        """One call of Prometheus's HTTP API. Raises like `series`."""
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(arguments)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - given by who calls us
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise ValueError(f"{path} {arguments}: {error.read().decode()}") from error


def everything(query: str) -> str:
    """The query with Grafana's variables at All."""
    for name, value in ALL.items():
        query = query.replace(f"${name}", value)
    return query


def label(legend: str, metric: dict[str, str]) -> str:
    """Grafana's legend format, filled in; the labels where there is none."""
    if legend == "__auto":
        return ", ".join(f"{name}={value}" for name, value in metric.items() if name != "__name__")
    for name, value in metric.items():
        legend = legend.replace(f"{{{{{name}}}}}", value)
    return legend


def numbers(values: list[tuple[float, str]]) -> list[tuple[float, float]]:
    """Prometheus's samples without what is no number (0/0 while nothing happens)."""
    return [(at, float(value)) for at, value in values if math.isfinite(float(value))]


def readable(value: float, unit: str) -> str:
    """The value with its unit, three significant digits."""
    if unit == "percentunit":
        return f"{value * 100:.0f} %" if abs(value) >= 1 else f"{value * 100:.3g} %"
    scales = {
        "s": ((1, "s"), (1e-3, "ms"), (1e-6, "µs")),
        "bytes": ((2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB")),
        "reqps": ((1, "/s"),),
        "ops": ((1, "/s"),),
        "short": ((1, ""),),
    }[unit]
    if value == 0:
        return "0"
    factor, name = next((scale for scale in scales if abs(value) >= scale[0]), scales[-1])
    scaled = value / factor
    return f"{scaled:.0f} {name}".strip() if abs(scaled) >= 100 else f"{scaled:.3g} {name}".strip()


def picture(dashboard: dict[str, Any], source: Source) -> str:
    """The dashboard as SVG. Raises like Source.series."""
    height = max(p["gridPos"]["y"] + p["gridPos"]["h"] for p in dashboard["panels"]) * CELL_HEIGHT + 40
    width = 24 * CELL_WIDTH
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(source.end))
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        f'<style>{STYLE}</style><rect width="100%" height="100%" fill="#f4f5f5"/>',
        f'<text class="t" x="{MARGIN}" y="22">{escape(dashboard["title"])}</text>',
        f'<text class="a" x="{width - MARGIN}" y="22" text-anchor="end">scraped from a running pair, {when}</text>',
    ]
    for panel in dashboard["panels"]:
        found = [s for t in panel["targets"] for s in source.series(t["expr"], t["legendFormat"])]
        at = panel["gridPos"]
        out.append(f'<g transform="translate({at["x"] * CELL_WIDTH},{at["y"] * CELL_HEIGHT + 36})">')
        out += drawn(panel, [series for series in found if series.points], source)
        out.append("</g>")
    return "\n".join([*out, "</svg>"]) + "\n"


def drawn(panel: dict[str, Any], found: list[Series], source: Source) -> list[str]:
    """One panel, its corner at 0, 0."""
    width, height = panel["gridPos"]["w"] * CELL_WIDTH, panel["gridPos"]["h"] * CELL_HEIGHT
    unit = panel["fieldConfig"]["defaults"]["unit"]
    out = [
        f'<rect x="4" y="2" width="{width - 8}" height="{height - 6}" rx="3" fill="#fff" stroke="#ddd"/>',
        f'<text class="t" x="{MARGIN + 4}" y="20">{escape(panel["title"])}</text>',
    ]
    if not found:
        return [*out, f'<text class="a" x="{width / 2}" y="{height / 2}" text-anchor="middle">nothing</text>']
    if panel["type"] == "stat":
        return [*out, *big_numbers(found, unit, width)]
    return [*out, *chart(found, unit, (width, height), source)]


def big_numbers(found: list[Series], unit: str, width: int) -> list[str]:
    """The last value of each series, side by side."""
    out = []
    for at, series in enumerate(found):
        x = width * (at + 0.5) / len(found)
        value = readable(series.points[-1][1], unit)
        out.append(f'<text class="n" x="{x:.0f}" y="68" text-anchor="middle">{value}</text>')
        out.append(f'<text class="a" x="{x:.0f}" y="92" text-anchor="middle">{escape(series.legend)}</text>')
    return out


def chart(found: list[Series], unit: str, size: tuple[int, int], source: Source) -> list[str]:
    """Lines over time from 0 (or below) up, with a grid and a legend."""
    left, top, right, bottom = 64, 32, size[0] - 24, size[1] - 62
    marks = ticks([value for series in found for _, value in series.points])

    def x(at: float) -> float:
        return left + (at - source.start) / (source.end - source.start) * (right - left)

    def y(value: float) -> float:
        return bottom - (value - marks[0]) / (marks[-1] - marks[0]) * (bottom - top)

    out = []
    for value in marks:
        out.append(f'<path d="M{left} {y(value):.0f}H{right}" stroke="#eee"/>')
        text = f'y="{y(value) + 3:.0f}" text-anchor="end">{readable(value, unit)}'
        out.append(f'<text class="a" x="{left - 5}" {text}</text>')
    for at in (source.start, (source.start + source.end) / 2, source.end):
        clock = time.strftime("%H:%M:%S", time.gmtime(at))
        out.append(f'<text class="a" x="{x(at):.0f}" y="{bottom + 14}" text-anchor="middle">{clock}</text>')
    for number, series in enumerate(found):
        line = f'fill="none" stroke="{COLOURS[number % len(COLOURS)]}" stroke-width="1.5" stroke-linecap="round"'
        for run in unbroken(series.points, 1.5 * source.step):
            points = " ".join(f"{x(at):.0f},{y(value):.1f}" for at, value in run)
            out.append(f'<polyline points="{points}" {line}/>')
    return out + legend_lines(found, left, right, bottom + 30)


def ticks(values: list[float]) -> list[float]:
    """Round marks that enclose the values and 0."""
    low, high = min(0.0, *values), max(0.0, *values)
    if low == high:
        return [0.0, 1.0]
    rough = (high - low) / 4
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(step for step in (1, 2, 2.5, 5, 10) if step * magnitude >= rough * 0.999) * magnitude
    return [step * at for at in range(math.floor(low / step), math.ceil(high / step) + 1)]


def unbroken(points: list[tuple[float, float]], gap: float) -> list[list[tuple[float, float]]]:
    """The points in runs without a gap in time: a line through an outage would claim what nobody measured."""
    runs = [[points[0]]]
    for before, point in pairwise(points):
        if point[0] - before[0] > gap:
            runs.append([])
        runs[-1].append(point)
    return runs


def legend_lines(found: list[Series], left: int, right: int, top: int) -> list[str]:
    """Three entries a line, two lines; the rest is counted."""
    out = []
    for number, series in enumerate(found[:LEGEND_ENTRIES]):
        x, y = left + number % 3 * (right - left) // 3, top + number // 3 * 14
        colour = COLOURS[number % len(COLOURS)]
        text = series.legend[:30]
        if number == LEGEND_ENTRIES - 1 and len(found) > LEGEND_ENTRIES:
            text = f"{text[:18]} and {len(found) - LEGEND_ENTRIES} more"
        out.append(f'<rect x="{x}" y="{y - 5}" width="10" height="3" fill="{colour}"/>')
        out.append(f'<text class="a" x="{x + 14}" y="{y}">{escape(text)}</text>')
    return out


def main() -> int:
    """Draws all of them; the exit code."""
    parser = argparse.ArgumentParser(description="Draws the dashboards as SVG from a Prometheus.")
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090", help="its URL")
    parser.add_argument("--minutes", type=float, default=15, help="how far back")
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    now = time.time()
    try:
        for path in sorted(DASHBOARDS.glob("*.json")):
            svg = picture(json.loads(path.read_text()), Source(given.prometheus, now - given.minutes * 60, now))
            (given.folder / f"{path.stem}.svg").write_text(svg)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"error: {given.prometheus}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
