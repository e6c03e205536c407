"""`make bench BENCH=guards`: what the guards cost the gateway, in CPU per read, as ratios of the same run.

Each is a ratio to `off`, a gateway without guards that is sent no credential. Six gateways stand before one user service on
one store. They are loaded in turn, a tenth of a second each: what else the machine does meets all alike. The order is drawn
anew each time: whoever follows itself finds its caches warm (in an order that turned round at its ends, the first and the
last looked 3 % cheaper than they are). A ratio is taken over each ten turns; the median counts. Each round has processes of
its own: where the kernel happens to put one makes it up to 2 % dearer or cheaper for as long as it lives.

The gateways have a core to themselves, all else the others. `--share-cores` lets the kernel choose: with fewer cores than busy
processes it then takes a gateway off its core 0.7 times a request, whose code finds cold caches; ratios scatter three times as
much.

python -m bench.guards [--seconds 120] [--rounds 5] [--share-cores] [--connections 32] [--users 1000]; exits 1 above a bound
"""

import argparse
import asyncio
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop

from bench import processes
from bench.load import Client, requests
from gateway_site.guard import api_keys
from gateway_site.guard.principal import READ, SCOPES
from gateway_site.tests.guard.issuer import Issuer, issuer, token
from tools.testing.service import free_port

TURN_SECONDS = 0.1
TURNS = 10
"""In a block, of which one ratio is taken."""

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
    off, api_key = {"AUTH": "none"}, f"X-API-Key: {key}"
    return [
        Way("off", off, ""),
        Way("off, API key sent", off, api_key),
        Way("off, token sent", off, bearer),
        Way("API key, local limit", keys, api_key, 1.08),
        Way("JWT, warm cache", running.settings, bearer, 1.12),
        Way("API key, limit in Redis", {**keys, "RATE_LIMIT_STORE": store}, api_key),
    ]


class Lane:
    """The connections to one gateway, which are silent but in its turn."""

    def __init__(self, way: Way, pid: int) -> None:
        self.way, self.pid = way, pid
        self.latencies: list[float] = []
        self.bad: list[int] = []
        self.is_on = False
        self.waiting: list[Connection] = []
        self.count = 0
        self.idle = asyncio.Event()

    async def connect(self, port: int, count: int, ids: list[str]) -> None:
        """All of them, before the first turn."""
        stream = requests("read", ids, "/api/users", self.way.field)
        loop, self.count = asyncio.get_running_loop(), count
        for _ in range(count):
            await loop.create_connection(lambda: Connection(self, stream), "127.0.0.1", port)

    async def turn(self) -> tuple[float, int]:
        """The gateway's CPU seconds, and the requests it answered."""
        before, answered = processes.cpu_seconds(self.pid), len(self.latencies)
        self.is_on, waiting, self.waiting = True, self.waiting, []
        self.idle.clear()
        for connection in waiting:
            connection.send()
        await asyncio.sleep(TURN_SECONDS)
        self.is_on = False
        await asyncio.wait_for(self.idle.wait(), 10)
        if self.bad:
            raise RuntimeError(f"{self.way.name}: an answer was {self.bad[0]}")
        return processes.cpu_seconds(self.pid) - before, len(self.latencies) - answered


class Connection(Client):
    """One with a request in flight while its lane is on."""

    def __init__(self, lane: Lane, stream: Iterator[bytes]) -> None:
        super().__init__(stream, lane.latencies, lane.bad)
        self.lane = lane

    def send(self) -> None:
        """The next request, or none."""
        if self.lane.is_on:
            super().send()
        else:
            self.lane.waiting.append(self)
            if len(self.lane.waiting) == self.lane.count:
                self.lane.idle.set()


def move(pid: int, cores: set[int]) -> None:
    """A process with its threads."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), cores)


@contextmanager
def gateways(users: int, folder: Path, cores: set[int]) -> Iterator[tuple[list[tuple[Lane, int]], list[str]]]:
    """The running gateways, on these cores, with their ports, and the ids to read."""
    with processes.pair(folder) as pair, issuer() as running, ExitStack() as stack:
        upstream = f"http://127.0.0.1:{pair.ports['users']}"
        lanes = []
        for way in ways(folder, running, pair.redis_url):
            port = free_port()
            gateway = processes.service("gateway", port, folder, USER_SERVICE_URL=upstream, **way.settings)
            stack.callback(gateway.stop)
            move(gateway.pid, cores)
            lanes.append((Lane(way, gateway.pid), port))
        yield lanes, pair.seed(users).read_text().split()


async def measure(lanes: list[tuple[Lane, int]], ids: list[str], args: argparse.Namespace) -> list[list[float]]:
    """A row of µs a request for each block, in the order of the lanes. The first block warms up and is not counted."""
    for lane, port in lanes:
        await lane.connect(port, args.connections, ids)
    rows = []
    for _ in range(max(3, round(args.seconds / args.rounds / TURN_SECONDS / TURNS / len(lanes))) + 1):
        taken = [(0.0, 0)] * len(lanes)
        for _ in range(TURNS):
            for index in random.sample(range(len(lanes)), len(lanes)):
                cpu, answered = await lanes[index][0].turn()
                taken[index] = taken[index][0] + cpu, taken[index][1] + answered
        rows.append([cpu / answered * 1e6 for cpu, answered in taken])
    return rows[1:]


def show(found: list[Way], rows: list[list[float]]) -> bool:
    """Prints the table; whether every bound holds."""
    is_within = True
    sys.stdout.write(f"{'gateway, CPU of a read':<26} {'µs':>6} {'to off':>7} {'quartiles':>15}  at most\n")
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
    return is_within


def main() -> int:
    """The command line: a table, and 1 where a guard costs more than it may."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120, help="in all")
    parser.add_argument("--rounds", type=int, default=5, help="each with new processes")
    parser.add_argument("--share-cores", action="store_true", help="with everything else")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--users", type=int, default=1000)
    args = parser.parse_args()
    cores = os.sched_getaffinity(0)
    own = cores if args.share_cores else {min(cores)}
    os.sched_setaffinity(0, cores - own or cores)  # what is started inherits it
    rows: list[list[float]] = []
    for _ in range(args.rounds):
        with tempfile.TemporaryDirectory() as folder, gateways(args.users, Path(folder), own) as (lanes, ids):
            rows += uvloop.run(measure(lanes, ids, args))
            found = [lane.way for lane, _ in lanes]
    return 0 if show(found, rows) else 1


if __name__ == "__main__":
    sys.exit(main())
