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

from tools.processes.service import free_port, pss_mib, tree
from tools.processes.valkey import valkey_server

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 30
PASSWORD = "only-for-this-benchmark"  # noqa: S105 - of a store on loopback that lives a minute


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


def service(role: str, port: int, folder: Path, **settings: str) -> Process:
    target = json.loads((ROOT / "bench/target.json").read_text())
    part = target[role]
    environment = {**target["env"], **part["env"], "HOST": "127.0.0.1", "PORT": str(port), **settings}
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


class Pair:
    """The pair before a store with a password and AOF: `running` has the processes, `ports` their ports, by name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: dict[str, Process] = {}
        self.ports = {name: free_port() for name in ("redis", "users", "gateway")}
        self.redis_url = f"redis://:{PASSWORD}@127.0.0.1:{self.ports['redis']}/0"

    def start(self, **settings: str) -> None:
        """Returns when both are ready; `settings`: more of both."""
        self.running["redis"] = store(self.ports["redis"], self.folder, appendonly="yes", requirepass=PASSWORD)
        upstream = f"http://127.0.0.1:{self.ports['users']}"
        self.running["users"] = service("users", self.ports["users"], self.folder, REDIS_URL=self.redis_url, **settings)
        self.running["gateway"] = service(
            "gateway", self.ports["gateway"], self.folder, USER_SERVICE_URL=upstream, **settings
        )

    def seed(self, count: int) -> Path:
        """Seeds the store with `seed_users`; the file of ids, oldest first."""
        target = json.loads((ROOT / "bench/target.json").read_text())["seed_cmd"]
        command = [sys.executable, *(word.replace("{count}", str(count)) for word in target["cmd"][1:])]
        ids = self.folder / "ids.txt"
        with ids.open("wb") as out:
            environment = {**os.environ, **target["env"], "REDIS_URL": self.redis_url}
            subprocess.run(command, cwd=ROOT, env=environment, stdout=out, check=True)
        return ids

    def pss_mib(self) -> dict[str, float]:
        return {name: round(pss_mib(process.pid), 1) for name, process in self.running.items()}


@contextmanager
def pair(folder: Path, **settings: str) -> Iterator[Pair]:
    """The pair, stopped at the end; `settings`: more of both services."""
    started = Pair(folder)
    try:
        started.start(**settings)
        yield started
    finally:
        for process in reversed(started.running.values()):
            process.stop()
