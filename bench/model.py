"""Extrapolates the figures of bench.scale to more users: what each primary and the services would need.

`python -m bench.model FILE` (of `bench.scale --results FILE`) prints two Markdown tables: the model's rules compared with
measurements, and the extrapolation; then charts of the figures on the most primaries. The rules:

- Memory, loading and forking of a primary grow with its users; the bytes per user do not depend on their number.
- A page has a fixed cost and one per command: a command for each partition, and one more if a user of it is on the page.
  The rule is compared on the fewest primaries, and extrapolated from the most.
- A process has one connection to each primary, and one more to ask for the map of a cluster.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

CARRIED = ((40_000_000, 1, 1), (250_000_000, 16, 16), (100_000_000, 16, 4), (1_000_000_000, 64, 64))
"""Users, partitions, primaries."""

PODS, CREATES = 100, 1000
"""Processes of the user service, and creates a second that carry an Idempotency-Key."""

PAGE, DAY, GIB = 20, 86_400, 2**30

COLOURS = {"orange": "#d55e00", "blue": "#0072b2", "green": "#009e73", "pink": "#cc79a7"}
CHARTS = (("pages", "first page"), ("read", "find", "create", "change"))


class Figures:
    """The measurements with the most users, by name and partitions; `choose` selects the number of primaries."""

    def __init__(self, measured: dict[str, Any], choose: Callable[[Iterable[int]], int]) -> None:
        self.rows, columns = measured["rows"], [tuple(column) for column in measured["columns"]]
        self.users = max(users for users, _, _ in columns)
        primaries = choose([nodes for _, _, nodes in columns if nodes] or [0])
        self.columns = {
            partitions: i
            for i, (users, partitions, nodes) in enumerate(columns)
            if users == self.users and nodes in {0, primaries}
        }
        self.partitions = sorted(self.columns)

    def of(self, name: str, partitions: int) -> float:
        return float(self.rows[name][self.columns[partitions]])

    def page(self, name: str, partitions: int) -> float:
        """The cost of a page, by the line through the costs with the two smallest numbers of partitions."""
        first, second = self.partitions[:2]
        low, high = self.of(name, first), self.of(name, second)
        return low + (high - low) * (commands(partitions) - commands(first)) / (commands(second) - commands(first))


def commands(partitions: int) -> float:
    """The number of commands of a page; some partitions have several of its users."""
    return partitions + partitions * (1 - (1 - 1 / partitions) ** PAGE)


def checked(figures: Figures) -> list[list[str]]:
    """The rules, compared with measurements that they do not use."""
    most, users = figures.partitions[-1], figures.users
    rows: list[tuple[str, float, float]] = [
        (f"{name} over {most} partitions, µs", figures.page(name, most), figures.of(name, most))
        for name in ("pages", "pages, store")
        if len(figures.partitions) > 2  # otherwise the line goes through it
    ]
    for count in figures.partitions:
        spread = f"{count} partition{'s' * (count > 1)}"
        name = f"bytes of {users:,} users in {spread}, from a tenth of them"
        tenth, measured = (figures.of(f"bytes a user{part}", count) * users for part in (", of a tenth", ""))
        rows.append((name, tenth, measured))
        name = f"connections of a process to a primary, {spread}"
        rows.append((name, 1 + (count > 1), figures.of("connections", count)))
    return [[name, f"{model:,.0f}", f"{measured:,.0f}", f"{model / measured:.2f}"] for name, model, measured in rows]


def carried(figures: Figures) -> list[list[str]]:
    """The needs of each case of CARRIED."""
    rows = []
    for users, partitions, primaries in CARRIED:
        size = figures.of("bytes a user", partitions if partitions in figures.partitions else 1)
        gib = users / primaries * size / GIB
        in_store = figures.page("pages, store", partitions)
        services = figures.page("pages", partitions) - in_store
        cells = [
            *(f"{number:,}" for number in (users, partitions, primaries)),
            f"{gib:,.1f} GiB",
            f"{gib * figures.of('fork, ms a GiB', 1):,.0f} ms",
            f"{gib * figures.of('load, s a GiB', 1) / 60:,.1f} min",
            f"{users / partitions * size / GIB:,.1f} GiB",
            f"{users / primaries * figures.of('bytes a claim', 1) / GIB:,.1f} GiB",
            f"{primaries * 1e6 / in_store:,.0f}",
            f"{1e6 / services:,.0f}",
            f"{PODS * (1 + (partitions > 1)):,}",
            f"{CREATES * DAY * figures.of('bytes a key', 1) / primaries / GIB:,.1f} GiB",
        ]
        rows.append(cells)
    return rows


def table(head: str, rows: list[list[str]]) -> str:
    lines = [f"| {head} |", "|" + "---|" * (head.count("|") + 1), *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines) + "\n"


def chart(figures: Figures, names: tuple[str, ...]) -> str:
    """A Mermaid chart of these costs, as ratios to one partition."""
    curves = [[figures.of(name, count) / figures.of(name, 1) for count in figures.partitions] for name in names]
    palette = ", ".join([*COLOURS.values()][: len(names)])
    title = ", ".join(f"{name} ({colour})" for name, colour in zip(names, COLOURS, strict=False))
    lines = [
        f'%%{{init: {{"themeVariables": {{"xyChart": {{"plotColorPalette": "{palette}"}}}}}}}}%%',
        "xychart-beta",
        f'    title "{title}"',
        f'    x-axis "partitions" {json.dumps([*map(str, figures.partitions)])}',
        f'    y-axis "CPU, ratio to one partition" 0 --> {max(2, *map(max, curves)):.1f}',
        *("    line [" + ", ".join(f"{ratio:.2f}" for ratio in curve) + "]" for curve in curves),
    ]
    return "\n".join(["```mermaid", *lines, "```"]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="written by `python -m bench.scale --results FILE`")
    measured = json.loads(parser.parse_args().file.read_text())
    sys.stdout.write(table("rule | model | measured | ratio", checked(Figures(measured, min))) + "\n")
    head = (
        "users | partitions | primaries | memory of a primary | its fork | its loading | a slot | claims of a primary"
        " | pages/s of the stores | pages/s per core of the services | connections to a primary"
        " | idempotency entries of a day, per primary"
    )
    figures = Figures(measured, max)
    sys.stdout.write(table(head, carried(figures)))
    sys.stdout.write("".join("\n" + chart(figures, names) for names in CHARTS))


if __name__ == "__main__":
    main()
