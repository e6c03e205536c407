"""What seeing inside costs, all in one run: a scrape of each service, idle and under load, and a traced read.

python -m bench.signals [--seconds 4] [--rounds 3] [--connections 32]

A scrape is timed as Prometheus asks (OpenMetrics, a kept connection), next to `/health/live`: what the two have in common
is the wait for a busy loop. Traces go to a receiver that reads and forgets. CPU is that of each process, in µs a read.
"""

import argparse
import http.client
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import processes
from bench.load import post
from tools.testing.service import free_port

ACCEPT = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
SCRAPES = 80
TRACING = {
    "off": {},
    "1 %": {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.01"},
    "all": {},
}


@contextmanager
def pair(folder: Path, **settings: str) -> Iterator[tuple[dict[str, processes.Process], dict[str, int], Path]]:
    """A store with 1000 users and the pair before it: processes and ports by name, and the file of ids."""
    with processes.pair(folder, **settings) as started:
        yield started.running, started.ports, started.seed(1000)


@contextmanager
def load(port: int, scenario: str, connections: int, seconds: float, ids: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """bench.load beside what the block does; waited for at its end."""
    command = [sys.executable, "-m", "bench.load", str(port), scenario, str(connections), str(seconds), str(ids)]
    running = subprocess.Popen(command, cwd=processes.ROOT, stdout=subprocess.PIPE)
    try:
        yield running
    finally:
        running.wait(seconds + 60)


def every_series(port: int, base: str, ids: Path) -> None:
    """Asks once for everything there is, so that a scrape has every series of a service that has been up for a while."""
    user = f"{base}/{ids.read_text().split()[0]}"
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    body = post(base, 1).partition(b"\r\n\r\n")[2].decode()
    match = {"If-None-Match": "*", "If-Match": '"none"'}
    for path in (
        base,
        user,
        f"{user}x",
        f"{base}?limit=0",
        "/nowhere",
        "/version",
        "/docs",
        "/openapi.json",
        "/health",
    ):
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
            for headers in ({}, match):
                if method == "DELETE" and path == user and not headers:
                    continue
                sent = body if method in {"POST", "PUT", "PATCH"} else None
                connection.request(method, path, sent, {"Content-Type": "application/json", **headers})
                connection.getresponse().read()
    connection.close()


def timed(port: int, pause: float) -> tuple[list[float], list[float], int]:
    """Scrapes and `/health/live`, by turns: ms of each; and the scrape's lines."""
    times: dict[str, list[float]] = {"/metrics": [], "/health/live": []}
    connection, lines = http.client.HTTPConnection("127.0.0.1", port, timeout=10), 0
    for _ in range(SCRAPES):
        for path, taken in times.items():
            time.sleep(pause)
            started = time.perf_counter()
            connection.request("GET", path, headers={"Accept": ACCEPT})
            content = connection.getresponse().read()
            taken.append((time.perf_counter() - started) * 1000)
            lines = max(lines, content.count(b"\n"))
    connection.close()
    return times["/metrics"], times["/health/live"], lines


def scrapes(folder: Path, connections: int) -> None:
    """A row for each service, idle and under a mixed load of a few and of many connections."""
    say(f"{'scrape':<9}{'load':<16}{'lines':>6}{'ms p50':>8}{'p95':>7}{'live p50':>10}{'p95':>7}{'CPU ms':>8}")
    with pair(folder) as (running, ports, ids):
        every_series(ports["gateway"], "/api/users", ids)
        every_series(ports["users"], "/users", ids)
        for role in ("users", "gateway"):
            before = processes.cpu_seconds(running[role].pid)
            row(role, "none", timed(ports[role], 0.01), processes.cpu_seconds(running[role].pid) - before)
            for count in (2, connections):
                with load(ports["gateway"], "mixed", count, 8, ids) as loading:
                    time.sleep(1)
                    row(role, f"{count} connections", timed(ports[role], 0.02), None)
                    loading.terminate()


def row(role: str, what: str, measured: tuple[list[float], list[float], int], cpu_seconds: float | None) -> None:
    """One line of the first table."""
    scrape, live, lines = measured
    figures = "".join(
        f"{figure:>{width}.1f}" for figure, width in zip((*ranks(scrape), *ranks(live)), (8, 7, 10, 7), strict=True)
    )
    cpu = "" if cpu_seconds is None else f"{cpu_seconds / SCRAPES * 1000:>8.1f}"
    say(f"{role:<9}{what:<16}{lines:>6}{figures}{cpu}")


def ranks(values: list[float]) -> tuple[float, float]:
    """Median and 95th percentile."""
    return statistics.median(values), statistics.quantiles(values, n=20)[-1]


def traced(folder: Path, kind: str, receiver: int, seconds: int, connections: int) -> dict[str, float]:
    """CPU of each process in µs a read, on processes started for it."""
    endpoint = {} if kind == "off" else {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{receiver}"}
    folder.mkdir()
    with pair(folder, **endpoint, **TRACING[kind]) as (running, ports, ids):
        with load(ports["gateway"], "read", connections, 1, ids):
            pass
        before = {role: processes.cpu_seconds(running[role].pid) for role in ("users", "gateway")}
        with load(ports["gateway"], "read", connections, seconds, ids) as loading:
            out = loading.communicate()[0]
        count = int(out.decode().partition('"requests": ')[2].partition(",")[0])
        return {role: (processes.cpu_seconds(running[role].pid) - before[role]) / count * 1e6 for role in before}


def tracing(folder: Path, rounds: int, seconds: int, connections: int) -> None:
    """A row for each way to trace, medians over the rounds; the ways take turns."""
    port = free_port()
    found: dict[str, list[dict[str, float]]] = {kind: [] for kind in TRACING}
    receiver = processes.Process("receiver", [sys.executable, "-m", "bench.receiver", str(port)], {}, folder)
    try:
        for number in range(rounds):
            for kind, outcomes in found.items():
                outcomes.append(traced(folder / f"{kind[0]}{number}", kind, port, seconds, connections))
    finally:
        receiver.stop()
    say(f"\n{'traced':<9}{'users µs':>10}{'gateway µs':>12}{'sum':>7}{'of off':>8}")
    sums = {}
    for kind, outcomes in found.items():
        users, gateway = (statistics.median(o[role] for o in outcomes) for role in ("users", "gateway"))
        sums[kind] = users + gateway
        say(f"{kind:<9}{users:>10.0f}{gateway:>12.0f}{sums[kind]:>7.0f}{sums[kind] / sums['off']:>8.2f}")


def say(line: str) -> None:
    """One line, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=4, help="of each load of the traced reads")
    parser.add_argument("--rounds", type=int, default=3, help="of the traced reads")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--only", choices=("scrapes", "tracing"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if args.only != "tracing":
            scrapes(folder, args.connections)
        if args.only != "scrapes":
            tracing(folder, args.rounds, args.seconds, args.connections)


if __name__ == "__main__":
    main()
