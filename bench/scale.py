"""The cost of users and partitions: CPU per request, store memory, seeding and export, relative to the first numbers of
both.

Several partitions are in a cluster, one cluster for each of `--primaries`. All stores run together and are loaded in
turn. Below each operation is its floor: the bare commands, 32 operations in a write, CPU of client and store. The
wheel's server uses glibc's malloc, which costs more with a large heap; set REDIS_SERVER=… to measure yours.

python -m bench.scale [--users 1000000] [--partitions 1,16,64] [--primaries 1,4] [--rounds 3]; exits 1 above a target
"""

import json
import random
import statistics
import sys
import tempfile
import time
import uuid
from contextlib import ExitStack
from itertools import islice, product
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import redis

from bench import floors, processes
from bench.measure import machine, measure, parser
from users_site.links import encode_cursor
from users_site.models import User
from users_site.repository.pages import Position, Side

TARGETS = {
    1: {},
    16: {"read": 1.1, "find": 1.1, "create": 1.1, "change": 1.1, "first page": 1.3, "pages": 2.5},
    64: {"read": 1.1, "find": 1.1, "create": 1.1, "change": 1.1, "first page": 1.6, "pages": 5.0},
}
"""Largest ratios to one partition, by partitions."""

SCENARIOS = tuple(TARGETS[16])
SAMPLE = 10_000
SETTLE_SECONDS = 120


class Way(NamedTuple):
    """A store with users, some of these users, the pair, and each scenario's lines for the load."""

    users: int
    partitions: int
    primaries: int
    sample: list[User]
    pair: processes.Pair
    lines: dict[str, Path]


def way(stack: ExitStack, users: int, partitions: int, primaries: int) -> tuple[Way, dict[str, float]]:
    """A seeded store, with the results of seeding and export; without primaries, one server."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    pair = stack.enter_context(processes.pair(folder, primaries, partitions))
    before, export, few = used_bytes(pair), folder / "users.ndjson", max(1, users // 10)
    seed(pair, few)
    tenth = used_bytes(pair)
    seconds = seed(pair, users - few)
    used = used_bytes(pair)
    for store in stores(pair):
        with store:  # its connection would be counted
            settle(store)
    exported = json.loads(pair.manage("export_users", str(export), "--format", "json"))
    with export.open("rb") as stream:
        every = max(1, users // SAMPLE)
        sample = [User.from_document(line) for line in islice(stream, 1, users + 1, every)]
    random.shuffle(sample)
    export.unlink()
    lines = {name: folder / f"{name}.txt" for name in SCENARIOS}
    for name in SCENARIOS:
        lines[name].write_text("\n".join(line(name, user) for user in sample))
    figures = {
        "bytes a user": (used - before) / users,
        "bytes a user, of a tenth": (tenth - before) / few,
        "seeded a second": (users - few) / seconds,
        "exported a second": users / exported["seconds"],
        **of_a_primary(stores(pair)[0]),
    }
    return Way(users, partitions, primaries, sample, pair, lines), figures


def seed(pair: processes.Pair, count: int) -> float:
    """Returns the seconds that it took."""
    return float(json.loads(pair.manage("seed_users", "--count", str(count), "--format", "json"))["seconds"])


def line(scenario: str, user: User) -> str:
    """A line of the load's file."""
    match scenario:
        case "find":
            return f"/api/users?{urlencode({'email': user.email})}"
        case "pages":
            return f"/api/users?limit=20&cursor={encode_cursor(Position(Side.OLDER, user.id))}"
    return user.id


def stores(pair: processes.Pair) -> list["redis.Redis"]:
    return [
        redis.Redis(port=server.port, password=server.password, socket_timeout=SETTLE_SECONDS)
        for server in pair.primaries
    ]


def used_bytes(pair: processes.Pair) -> int:
    return sum(store.info("memory")["used_memory"] for store in stores(pair))


def of_a_primary(store: Any) -> dict[str, float]:
    """The time of the fork for the append-only file and of loading after a restart, and the number of connections."""
    store.bgrewriteaof()
    settle(store)
    mebibytes = store.info("memory")["used_memory"] / 2**20
    fork, connections = store.info("stats")["latest_fork_usec"], store.info("clients")["connected_clients"] - 1
    started = time.monotonic()
    store.execute_command("DEBUG", "LOADAOF")
    loaded = time.monotonic() - started
    claims = list(islice(store.scan_iter("{*}:email:*", 1000), 100))
    key = claims[0].partition(b"email:")[0] + b"idem:" + b"k" * 36
    store.set(key, "f" * 32 + f"+{uuid.uuid4()} 2026-11-27T00:00:00.000000Z", ex=60)
    return {
        "fork, ms a GiB": fork / mebibytes * 1.024,
        "load, s a GiB": loaded / mebibytes * 1024,
        "connections": connections,
        "bytes a claim": statistics.fmean(map(store.memory_usage, claims)),
        "bytes a key": store.memory_usage(key),
    }


def settle(store: Any) -> None:
    """Waits for the child that rewrites the append-only file after seeding, whose CPU would be counted. Raises
    TimeoutError."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while any(store.info("persistence")[key] for key in ("aof_rewrite_in_progress", "aof_rewrite_scheduled")):
        if time.monotonic() > deadline:
            raise TimeoutError(f"the append-only file is rewritten for more than {SETTLE_SECONDS} s")
        time.sleep(0.2)


def loaded(at: Way, scenario: str, args: Any) -> dict[str, float]:
    """CPU in µs per request: of all processes, and of the store alone."""
    load = {"find": "targets", "pages": "targets", "first page": "list"}.get(scenario, scenario)
    figures = measure(load, at.pair.ports["gateway"], at.pair.running, args, at.lines[scenario])
    if figures["bad"]:
        raise RuntimeError(f"{scenario} at {at.users} users, {at.partitions} partitions: {figures['bad']} bad answers")
    in_store = sum(cost for name, cost in figures["cpu_us"].items() if "redis" in name)
    return {scenario: sum(figures["cpu_us"].values()), f"{scenario}, store": in_store}


def main() -> int:
    options = parser(__doc__, seconds=3, rounds=3, users="1000000")
    options.add_argument("--partitions", default="1,16,64")
    options.add_argument("--primaries", default="4")
    options.add_argument("--results", type=Path, help="a JSON file for the figures")
    args = options.parse_args()
    users, partitions, primaries = (
        list(map(int, text.split(","))) for text in (args.users, args.partitions, args.primaries)
    )
    kinds = [(count, nodes) for count in partitions for nodes in (primaries if count > 1 else [0])]
    with ExitStack() as stack:
        ways, found = zip(*(way(stack, number, *kind) for number, kind in product(users, kinds)), strict=True)
        rounds: list[list[dict[str, float]]] = []
        for _ in range(args.rounds):
            rounds.append([{} for _ in ways])
            for scenario, (i, at) in product(SCENARIOS, random.sample([*enumerate(ways)], len(ways))):
                rounds[-1][i] |= loaded(at, scenario, args)
                rounds[-1][i] |= {f"{scenario}, floor": floors.cost(at.pair, at.partitions, scenario, at.sample)}
    rows = [(name, [figures[name] for figures in found]) for name in found[0]]
    rows += [
        (name, [statistics.median(one[i][name] for one in rounds) for i in range(len(ways))]) for name in rounds[0][0]
    ]
    head = [f"{at.users:,} in {at.partitions}" + (f" on {at.primaries}" if at.primaries else "") for at in ways]
    if args.results:
        columns = [(at.users, at.partitions, at.primaries) for at in ways]
        figures = {"machine": machine(), "columns": columns}
        args.results.write_text(json.dumps(figures | {"rows": dict(rows)}, indent=1) + "\n")
    return report(head, rows, [TARGETS.get(at.partitions, {}) if at.users == users[0] else {} for at in ways])


def report(head: list[str], rows: list[tuple[str, list[float]]], targets: list[dict[str, float]]) -> int:
    """Prints a table of medians with their ratios to the first column; returns 1 if one is above its target."""
    sys.stdout.write(f"{machine()}\n{'CPU µs a request':<20}" + "".join(f"{text:>18}" for text in head) + "\n")
    exceeded = False
    for name, values in rows:
        cells = []
        for value, bounds in zip(values, targets, strict=True):
            is_above = value / values[0] > bounds.get(name, float("inf"))
            exceeded |= is_above
            cells.append(f"{value:,.0f} ({value / values[0]:.2f}{'!' if is_above else ''})")
        sys.stdout.write(f"{name:<20}" + "".join(f"{cell:>18}" for cell in cells) + "\n")
    return int(exceeded)


if __name__ == "__main__":
    sys.exit(main())
