"""Starts the store, the two services and the floors, each on a port of its own; reads their CPU and memory."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis

from tools.processes.cluster import until
from tools.processes.service import free_port, pss_mib, tree
from tools.processes.valkey import valkey_server

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 30
PASSWORD = "only-for-this-benchmark"  # noqa: S105 - of a store on loopback that lives a minute
DURABLE = {"appendonly": "yes", "requirepass": PASSWORD, "enable-debug-command": "local"}
SLOTS = 16384


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its descendants, to the nanosecond: /proc/*/stat counts in hundredths."""
    # The process's CPU clock, by the id that clock_getcpuclockid(3) makes of its pid.
    return sum(time.clock_gettime(~member << 3 | 2) for member in tree(pid))


class Process:
    """One started process; `stop` ends it by its id."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str], folder: Path) -> None:
        self.name = name
        self.errors = folder / f"{name}.err"
        with self.errors.open("wb") as errors:
            self.popen = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )

    @property
    def pid(self) -> int:
        return self.popen.pid

    def wait_for(self, url: str) -> None:
        """Returns when the URL answers 200. Raises RuntimeError."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.popen.poll() is None:
            try:
                with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - loopback
                    return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"{self.name} does not answer: {self.errors.read_text()[-2000:]}")

    def stop(self) -> None:
        self.popen.send_signal(signal.SIGTERM)
        try:
            self.popen.wait(15)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()


def target() -> Any:
    """How the services are started."""
    return json.loads((ROOT / "bench/target.json").read_text())


def service(role: str, port: int, folder: Path, **settings: str) -> Process:
    part = target()[role]
    environment = {**target()["env"], **part["env"], "HOST": "127.0.0.1", "PORT": str(port), **settings}
    running = Process(role, [sys.executable, *part["cmd"][1:]], environment, folder)
    running.wait_for(f"http://127.0.0.1:{port}/health/ready")
    return running


def empty(port: int, folder: Path) -> Process:
    """The floor of a service: an empty application on plain uvicorn."""
    command = [sys.executable, "-m", "uvicorn", "--port", str(port), "--http", "httptools", "--loop", "uvloop"]
    running = Process("empty", [*command, "--log-level", "error", "bench.empty:application"], {}, folder)
    running.wait_for(f"http://127.0.0.1:{port}/")
    return running


def store(port: int, folder: Path, **options: str) -> Process:
    """A real server without persistence unless `options` turn it on: the wheel's, or the program in REDIS_SERVER."""
    program = os.environ.get("REDIS_SERVER") or str(valkey_server())
    options = {"port": str(port), "dir": str(folder), "bind": "127.0.0.1", "save": "", **options}
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    return Process(f"redis-{port}", [program, *words], {}, folder)


def cluster(folder: Path, primaries: int) -> tuple[dict[str, Process], str]:
    """Primaries with evenly many slots each, by name, and the URL of the cluster."""
    ports = [free_port() for _ in range(primaries)]
    nodes: list[Any] = [redis.Redis(port=port, password=PASSWORD) for port in ports]
    running = {}
    for i, port in enumerate(ports):
        home, bus = folder / f"node-{i}", str(free_port())
        home.mkdir()
        running[f"redis-{i}"] = store(port, home, **DURABLE, **{"cluster-enabled": "yes", "cluster-port": bus})
        until(nodes[i].ping)
        ends = i * SLOTS // primaries, (i + 1) * SLOTS // primaries - 1
        nodes[i].execute_command("CLUSTER", "ADDSLOTSRANGE", *ends)
        nodes[i].execute_command("CLUSTER", "SET-CONFIG-EPOCH", i + 1)
        nodes[0].execute_command("CLUSTER", "MEET", "127.0.0.1", port, bus)
    until(lambda: all(b"cluster_state:ok" in node.execute_command("CLUSTER", "INFO") for node in nodes))
    return running, f"redis+cluster://:{PASSWORD}@" + ",".join(f"127.0.0.1:{port}" for port in ports)


class Pair:
    """The pair before a store with a password and AOF, a cluster if `primaries` are given: `running` has the processes,
    `ports` those of the services, by name; `store` are the settings of who uses the store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: dict[str, Process] = {}
        self.ports = {name: free_port() for name in ("users", "gateway")}
        self.store: dict[str, str] = {}

    def start(self, primaries: int = 0, partitions: int = 1, **settings: str) -> None:
        """Returns when both are ready; `settings`: more of both."""
        if primaries:
            self.running, url = cluster(self.folder, primaries)
        else:
            port = free_port()
            self.running["redis"] = store(port, self.folder, **DURABLE)
            url = f"redis://:{PASSWORD}@127.0.0.1:{port}/0"
        self.store = {"REDIS_URL": url, "PARTITIONS": str(partitions)}
        upstream = f"http://127.0.0.1:{self.ports['users']}"
        self.running["users"] = service("users", self.ports["users"], self.folder, **self.store, **settings)
        self.running["gateway"] = service(
            "gateway", self.ports["gateway"], self.folder, USER_SERVICE_URL=upstream, **settings
        )

    def seed(self, count: int) -> Path:
        """Seeds the store with `seed_users`; the file of ids, oldest first."""
        ids = self.folder / "ids.txt"
        ids.write_bytes(self.manage("seed_users", "--count", str(count), "--print-ids"))
        return ids

    def manage(self, *words: str) -> bytes:
        """What a management command prints."""
        environment = {**os.environ, **target()["seed_cmd"]["env"], **self.store}
        command = [sys.executable, "manage_users.py", *words]
        return subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True).stdout

    def primaries(self) -> dict[int, Process]:
        """Those of the store, by port, in the order of their slots."""
        return {int(process.name.split("-")[1]): process for name, process in self.running.items() if "redis" in name}

    def pss_mib(self) -> dict[str, float]:
        return {name: round(pss_mib(process.pid), 1) for name, process in self.running.items()}


@contextmanager
def pair(folder: Path, primaries: int = 0, partitions: int = 1, **settings: str) -> Iterator[Pair]:
    """The pair, stopped at the end; as Pair.start."""
    started = Pair(folder)
    try:
        started.start(primaries, partitions, **settings)
        yield started
    finally:
        for process in reversed(started.running.values()):
            process.stop()
