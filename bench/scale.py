"""What the number of users costs: CPU per request, store memory and seeding, at each size and relative to the first.

The wheel's server has glibc's malloc, with which Lua costs more in a large heap (list at a million: 12 % of the whole); measure
the one that you run (jemalloc, mostly) with REDIS_SERVER=/usr/bin/redis-server.

python -m bench.scale [--sizes 1000,100000,1000000] [--seconds 5] [--rounds 1] [--connections 32]
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import redis
import requests

from bench import processes
from bench.measure import machine, measure

SCENARIOS = ("read", "list", "deep", "find", "create")
SAMPLE = 1000
SETTLE_SECONDS = 120


def one_size(count: int, args: Any, folder: Path) -> dict[str, Any]:
    """Every scenario with `count` users in the store: CPU in µs a request, and what the store needed for them."""
    with processes.pair(folder) as pair:
        store = redis.Redis.from_url(pair.redis_url)
        before, started = store.info("memory")["used_memory"], time.monotonic()
        ids = pair.seed(count)
        seconds = time.monotonic() - started
        outcome: dict[str, Any] = {
            "bytes a user": round((store.info("memory")["used_memory"] - before) / count),
            "seeded a second": round(count / seconds),
        }
        settle(store)
        port = pair.ports["gateway"]
        lines = {**dict.fromkeys(SCENARIOS, ids), "deep": deep_pages(port, count, folder), "find": by_email(port, ids)}
        for scenario in SCENARIOS:
            load = "targets" if scenario in {"deep", "find"} else scenario
            figures = measure(load, port, pair.running, args, lines[scenario])
            if figures["bad"]:
                raise RuntimeError(f"{scenario} at {count} users: {figures['bad']} bad answers")
            outcome[scenario] = round(sum(figures["cpu_us"].values()), 1)
    return outcome


def settle(store: "redis.Redis") -> None:
    """Waits for the child that rewrites the append-only file after seeding: its CPU is not a request's. Raises TimeoutError."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while any(store.info("persistence")[key] for key in ("aof_rewrite_in_progress", "aof_rewrite_scheduled")):
        if time.monotonic() > deadline:
            raise TimeoutError(f"the append-only file is rewritten for more than {SETTLE_SECONDS} s")
        time.sleep(0.2)


def deep_pages(port: int, count: int, folder: Path) -> Path:
    """The targets of up to 50 pages in the middle of the list, walked to as a client must."""
    session, origin = requests.Session(), f"http://127.0.0.1:{port}"
    url, targets = f"{origin}/api/users?limit=100", []
    for _ in range(count // 2 // 100):
        url = session.get(url, timeout=10).json()["next"] or url
    url = url.replace("limit=100", "limit=20")
    for _ in range(50):
        targets.append(url.removeprefix(origin))
        url = session.get(url, timeout=10).json()["next"]
        if url is None:
            break
    file = folder / "deep.txt"
    file.write_text("\n".join(targets))
    return file


def by_email(port: int, ids: Path) -> Path:
    session = requests.Session()
    known = ids.read_text().split()
    users = [
        session.get(f"http://127.0.0.1:{port}/api/users/{user_id}", timeout=10).json()
        for user_id in known[:: max(1, len(known) // SAMPLE)]
    ]
    file = ids.with_name("emails.txt")
    file.write_text("\n".join(f"/api/users?{urlencode({'email': user['email']})}" for user in users))
    return file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1000,100000,1000000")
    parser.add_argument("--seconds", type=float, default=5, help="of each load")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--connections", type=int, default=32)
    args = parser.parse_args()
    sizes = [int(size) for size in args.sizes.split(",")]
    found: dict[int, list[dict[str, Any]]] = {size: [] for size in sizes}
    for _ in range(args.rounds):
        for size in sizes:
            with tempfile.TemporaryDirectory() as folder:
                found[size].append(one_size(size, args, Path(folder)))
    sys.stdout.write(f"{machine()}\n{'CPU µs a request':<18}" + "".join(f"{size:>18,}" for size in sizes) + "\n")
    for name in found[sizes[0]][0]:
        medians = [statistics.median(outcome[name] for outcome in found[size]) for size in sizes]
        cells = (f"{value:,.0f} ({value / medians[0]:.2f})" for value in medians)
        sys.stdout.write(f"{name:<18}" + "".join(f"{cell:>18}" for cell in cells) + "\n")


if __name__ == "__main__":
    main()
