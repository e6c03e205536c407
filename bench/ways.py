"""Loads gateways that differ in their settings, in turn and in random order: CPU per read, as a ratio to the first."""

import argparse
import random
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from bench import processes
from bench.measure import measure, parser


class Way(NamedTuple):
    """A gateway's settings, the header field of its clients, and its largest ratio to the first way."""

    name: str
    settings: dict[str, str]
    field: str = ""
    bound: float = float("inf")


def compare(text: str | None, ways_of: Callable[[processes.Pair], list[Way]], *, all_processes: bool = False) -> int:
    """Prints the ways, measured with a new pair; returns 1 if one is above its bound. Counts the CPU of the gateway, or
    of all processes."""
    args = parser(text, seconds=1, rounds=20).parse_args()
    with tempfile.TemporaryDirectory() as name, processes.pair(Path(name)) as pair:
        ways = ways_of(pair)
        behind = {name: pid for name, pid in pair.running.items() if all_processes and name != "gateway"}
        return report(ways, costs(pair, ways, args, behind))


def costs(
    pair: processes.Pair, ways: list[Way], args: argparse.Namespace, behind: Mapping[str, int]
) -> list[list[float]]:
    """For each round, the cost of a read each way in µs."""
    ids, lanes = pair.seed(args.users), []
    upstream = f"http://127.0.0.1:{pair.ports['users']}"
    rows: list[list[float]] = []
    with ExitStack() as stack:
        for way in ways:
            settings = {"USER_SERVICE_URL": upstream, **way.settings}
            lanes.append((way, stack.enter_context(processes.ready("gateway_site", pair.folder, **settings))))
        for _ in range(args.rounds):
            found = {
                way.name: _cost(way, gateway.port, {**behind, "gateway": gateway.process.pid}, args, ids)
                for way, gateway in random.sample(lanes, len(lanes))
            }
            rows.append([found[way.name] for way in ways])
    return rows


def report(ways: list[Way], rows: list[list[float]]) -> int:
    exceeded = False
    for index, way in enumerate(ways):
        cost = statistics.median(row[index] for row in rows)
        ratio = statistics.median(row[index] / row[0] for row in rows)
        exceeded |= ratio > way.bound
        sys.stdout.write(f"{way.name:<26}{cost:>6.0f} µs {ratio:>6.3f} of {ways[0].name}, at most {way.bound}\n")
    return int(exceeded)


def _cost(way: Way, port: int, running: dict[str, int], args: argparse.Namespace, ids: Path) -> float:
    outcome = measure("read", port, running, args, ids, way.field)
    if outcome["bad"]:
        raise RuntimeError(f"{way.name}: {outcome['bad']} bad answers")
    return float(sum(outcome["cpu_us"].values()))
