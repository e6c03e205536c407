"""`make bench BENCH=guards`: CPU per read of the gateway behind its guards, as a ratio to a gateway without guards.

The gateways stand before one user service and are loaded in turn, in random order. The median ratio of all turns counts.

python -m bench.guards [--seconds 1] [--rounds 20] [--connections 32] [--users 1000]; exits 1 above a bound
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from bench import processes
from bench.measure import measure
from gateway_site.guard import api_keys
from gateway_site.guard.principal import READ, SCOPES
from gateway_site.tests.guard.issuer import Issuer, issuer, token
from tools.processes.service import free_port

LIMIT = "1000000/s"
"""No client reaches it: only the check is measured."""


class Way(NamedTuple):
    """A gateway's settings, the header field of its clients, and its largest ratio to the first way."""

    name: str
    settings: dict[str, str]
    field: str
    bound: float = float("inf")


def ways(folder: Path, running: Issuer, store: str) -> list[Way]:
    key, line = api_keys.create("bench", SCOPES, None)
    (folder / "keys").write_text(line + "\n")
    keys = {"AUTH": "apikey", "AUTH_API_KEYS_FILE": str(folder / "keys"), "RATE_LIMIT": LIMIT}
    bearer, api_key = f"Authorization: Bearer {token(exp=time.time() + 7200, scope=READ)}", f"X-API-Key: {key}"
    return [
        Way("no guard", {"AUTH": "none"}, ""),
        Way("API key, local limit", keys, api_key, 1.08),
        Way("JWT", running.settings, bearer, 1.12),
        Way("API key, limit in Redis", {**keys, "RATE_LIMIT_STORE": store}, api_key),
    ]


def rounds(args: argparse.Namespace, folder: Path) -> tuple[list[Way], list[list[float]]]:
    with processes.pair(folder) as pair, issuer() as running, ExitStack() as stack:
        ids, lanes = pair.seed(args.users), []
        upstream = f"http://127.0.0.1:{pair.ports['users']}"
        for way in ways(folder, running, pair.store["REDIS_URL"]):
            port = free_port()
            gateway = processes.service("gateway", port, folder, USER_SERVICE_URL=upstream, **way.settings)
            stack.callback(gateway.stop)
            lanes.append((way, port, gateway))
        rows = []
        for _ in range(args.rounds):
            found = {}
            for way, port, gateway in random.sample(lanes, len(lanes)):
                outcome = measure("read", port, {"gateway": gateway}, args, ids, way.field)
                if outcome["bad"]:
                    raise RuntimeError(f"{way.name}: {outcome['bad']} bad answers")
                found[way.name] = outcome["cpu_us"]["gateway"]
            rows.append([found[way.name] for way, _, _ in lanes])
        return [way for way, _, _ in lanes], rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1, help="of each load")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--users", type=int, default=1000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found, rows = rounds(args, Path(folder))
    exceeded = False
    for index, way in enumerate(found):
        cost = statistics.median(row[index] for row in rows)
        ratio = statistics.median(row[index] / row[0] for row in rows)
        exceeded |= ratio > way.bound
        sys.stdout.write(f"{way.name:<26}{cost:>6.0f} µs {ratio:>6.3f} of no guard, at most {way.bound}\n")
    return int(exceeded)


if __name__ == "__main__":
    sys.exit(main())
