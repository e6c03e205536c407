"""The store, the two services and the floors, and the CPU of each process."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tools.processes.cluster import cluster, until
from tools.processes.service import ROOT, Service, listens, pss_mib, service, tree
from tools.processes.valkey import Valkey, valkey

STORE = ("appendonly yes", "maxmemory-policy noeviction")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its descendants, to the nanosecond: /proc/*/stat counts in hundredths."""
    # The process's CPU clock, by the id that clock_getcpuclockid(3) makes of its pid.
    return sum(time.clock_gettime(~member << 3 | 2) for member in tree(pid))


def target() -> Any:
    """How a harness starts the pair."""
    return json.loads((ROOT / "bench/target.json").read_text())


@contextmanager
def empty(port: int) -> Iterator[int]:
    """The floor of a service: the pid of an empty application on plain uvicorn."""
    command = [sys.executable, "-m", "uvicorn", "--port", str(port), "--http", "httptools", "--loop", "uvloop"]
    running = subprocess.Popen([*command, "--log-level", "error", "bench.empty:application"], cwd=ROOT)
    try:
        until(lambda: listens(port))
        yield running.pid
    finally:
        running.terminate()
        running.wait(15)


@contextmanager
def ready(site: str, folder: Path, **settings: str) -> Iterator[Service]:
    """Returns when the service is connected."""
    with service(site, folder, **target()["env"] | settings) as running:
        running.wait_until_live("/health/ready")
        yield running


class Pair:
    """Live services with a store; `running` has the pids by name."""

    def __init__(self, folder: Path, primaries: list[Valkey], url: str, partitions: int) -> None:
        self.folder, self.primaries = folder, primaries
        self.store = {"REDIS_URL": url, "PARTITIONS": str(partitions)}
        self.ports: dict[str, int] = {}
        names = ["redis"] if len(primaries) == 1 else [f"redis-{i}" for i in range(len(primaries))]
        self.running = {name: each.pid for name, each in zip(names, primaries, strict=True)}

    def add(self, name: str, running: Service) -> None:
        self.ports[name], self.running[name] = running.port, running.process.pid

    def seed(self, count: int) -> Path:
        """Seeds the store with `seed_users`; the file of ids, oldest first."""
        ids = self.folder / "ids.txt"
        ids.write_bytes(self.manage("seed_users", "--count", str(count), "--print-ids"))
        return ids

    def manage(self, *words: str) -> bytes:
        """The output of a management command."""
        environment = {**os.environ, **target()["seed_cmd"]["env"], **self.store}
        command = [sys.executable, "manage_users.py", *words]
        return subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True).stdout

    def pss_mib(self) -> dict[str, float]:
        return {name: round(pss_mib(pid), 1) for name, pid in self.running.items()}


@contextmanager
def pair(folder: Path, primaries: int = 0, partitions: int = 1) -> Iterator[Pair]:
    """The pair with a store with a password and AOF; a cluster if `primaries` are given."""
    stores = cluster(primaries=primaries, replicas=0) if primaries else valkey(*STORE)
    with stores as made:
        started = Pair(folder, [made] if isinstance(made, Valkey) else made.all, made.url, partitions)
        with ready("users_site", folder, **started.store) as users:
            started.add("users", users)
            with ready("gateway_site", folder, USER_SERVICE_URL=users.url) as gateway:
                started.add("gateway", gateway)
                yield started
