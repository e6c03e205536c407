"""`make bench BENCH=guards`: what the guards cost the gateway, in CPU per read, each as a ratio to no guard of the same run.

Four gateways stand before one user service on one store; they are loaded in turn, second by second, in an order that turns
round each time, so that what else the machine does meets all alike. Ratios are taken within a round; their median counts.

python -m bench.guards [--seconds 1] [--rounds 30] [--connections 32] [--users 1000]; exits 1 above a bound
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import processes
from bench.measure import load
from common.tests.service import free_port
from gateway_site.guard import api_keys
from gateway_site.guard.principal import READ, SCOPES
from gateway_site.tests.guard.issuer import Issuer, issuer, token

LIMIT = "1000000/s"
"""Nobody reaches it: what is measured is asking it."""


@dataclass
class Way:
    """A gateway with its settings, what a client sends it, and what it may cost at most."""

    name: str
    settings: dict[str, str]
    field: str
    bound: float | None = None


def ways(folder: Path, running: Issuer, store: str) -> list[Way]:
    """What is compared; the first is what the others are ratios to."""
    key, line = api_keys.create("bench", SCOPES, None)
    (folder / "keys").write_text(line + "\n")
    keys = {"AUTH": "apikey", "AUTH_API_KEYS_FILE": str(folder / "keys"), "RATE_LIMIT": LIMIT}
    bearer = f"Authorization: Bearer {token(exp=time.time() + 7200, scope=READ)}"
    return [
        Way("off", {"AUTH": "none"}, ""),
        Way("API key, local limit", keys, f"X-API-Key: {key}", 1.08),
        Way("JWT, warm cache", running.settings, bearer, 1.12),
        Way("API key, limit in Redis", {**keys, "RATE_LIMIT_STORE": store}, f"X-API-Key: {key}"),
    ]


@contextmanager
def gateways(args: argparse.Namespace, folder: Path) -> Iterator[tuple[list[tuple[Way, processes.Process, int]], Path]]:
    """The running ways with their ports, and the file of ids to read."""
    with processes.pair(folder) as pair, issuer() as running, ExitStack() as stack:
        started = []
        for way in ways(folder, running, pair.redis_url):
            port = free_port()
            upstream = f"http://127.0.0.1:{pair.ports['users']}"
            gateway = processes.service("gateway", port, folder, USER_SERVICE_URL=upstream, **way.settings)
            stack.callback(gateway.stop)
            started.append((way, gateway, port))
        yield started, pair.seed(args.users)


def microseconds(way: Way, gateway: processes.Process, port: int, args: argparse.Namespace, ids: Path) -> float:
    """CPU of the gateway per read. Raises RuntimeError where an answer is not what it should be."""
    before = processes.cpu_seconds(gateway.pid)
    outcome = load("read", port, args.connections, args.seconds, ids, way.field)
    if outcome["bad"]:
        raise RuntimeError(f"{way.name}: {outcome['bad']} answers were not 2xx")
    return float((processes.cpu_seconds(gateway.pid) - before) / outcome["requests"] * 1e6)


def measure(args: argparse.Namespace) -> tuple[list[Way], list[list[float]]]:
    """The ways, and a row of µs a round, in their order. A first round that warms up is not counted."""
    with tempfile.TemporaryDirectory() as folder, gateways(args, Path(folder)) as (started, ids):
        rows = []
        for number in range(args.rounds + 1):
            turn = list(enumerate(started))[:: -1 if number % 2 else 1]
            taken = {index: microseconds(*one, args, ids) for index, one in turn}
            rows.append([taken[index] for index in range(len(started))])
        return [way for way, _, _ in started], rows[1:]


def main() -> int:
    """The command line: a table, and 1 where a guard costs more than it may."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1, help="of each load")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--users", type=int, default=1000)
    found, rows = measure(parser.parse_args())
    is_within = True
    sys.stdout.write(f"{'gateway, CPU of a read':<26} {'µs':>6} {'ratio':>7} {'quartiles':>15}  at most\n")
    for index, way in enumerate(found):
        ratios = [row[index] / row[0] for row in rows]
        ratio = statistics.median(ratios)
        low, _, high = statistics.quantiles(ratios, n=4)
        verdict = ""
        if way.bound is not None:
            is_within &= ratio <= way.bound
            verdict = f"{way.bound:.2f} {'holds' if ratio <= way.bound else 'EXCEEDED'}"
        cost = statistics.median(row[index] for row in rows)
        sys.stdout.write(f"{way.name:<26} {cost:>6.0f} {ratio:>7.3f} {low:>7.3f} {high:>7.3f}  {verdict}\n")
    return 0 if is_within else 1


if __name__ == "__main__":
    sys.exit(main())
