"""Real services for tests: one process each, on free loopback ports, ended by their ids."""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count, islice
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 30
PORTS, BLOCK = range(20_000, 32_600), 200
"""Below those of outgoing connections, on Linux and elsewhere. A process uses one block of them, in turn."""

_turn = count()


def free_port() -> int:
    """A port that neither an outgoing connection nor a process beside this one takes before the caller does."""
    block = PORTS.start + os.getpid() % (len(PORTS) // BLOCK) * BLOCK
    for turn in islice(_turn, BLOCK):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", block + turn % BLOCK))
            return block + turn % BLOCK
    raise RuntimeError(f"no port from {block} to {block + BLOCK - 1} is free")


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Service:
    """A running service; `log` is the file that its stdout goes to, `errors` its stderr; `arguments`: more of gunicorn's;
    `run_in` is put before its command."""

    def __init__(self, site: str, folder: Path, *arguments: str, run_in: Sequence[str] = (), **settings: str) -> None:
        self.site, self.port = site, int(settings.get("PORT", 0)) or free_port()
        self.host = settings.get("HOST", "127.0.0.1")
        self.url = f"http://{self.host}:{self.port}"
        self.log, self.errors = folder / f"{site}-{self.port}.log", folder / f"{site}-{self.port}.err"
        inherited = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
        self.environment = {
            **inherited,
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "SECRET_KEY": "a key for tests only",
            "ALLOWED_HOSTS": f"127.0.0.1,localhost,{self.host}",
            "DRAIN_SECONDS": "0",
            **settings,
        }
        self._command = [*run_in, sys.executable, "-m", f"{site}.server", *arguments]
        for file in (self.log, self.errors):
            file.write_bytes(b"")
        self.start()

    def start(self) -> None:
        """Its process; a later one has the same port and adds to the same log."""
        with self.log.open("ab") as out, self.errors.open("ab") as err:
            self.process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    def wait_until_live(self, path: str = "/health/live") -> None:
        """Returns when the path answers 200. Raises RuntimeError with the process's output."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            connection = http.client.HTTPConnection(self.host, self.port, timeout=2)
            try:
                connection.request("GET", path)
                if connection.getresponse().status == http.HTTPStatus.OK:
                    return
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)
            finally:
                connection.close()
        raise RuntimeError(f"{self.site} is not live: {self.errors.read_text()}{self.log.read_text()}"[-3000:])

    def pss_mib(self) -> float:
        """Memory of the process and its descendants; a shared page counts once."""
        return pss_mib(self.process.pid)

    def stop(self) -> int:
        """Sends SIGTERM and returns the exit code; SIGKILL after the time-out."""
        self.process.terminate()
        try:
            return self.process.wait(START_SECONDS)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()


def tree(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(found for child in children for found in tree(int(child)))]


def pss_mib(pid: int) -> float:
    lines = "".join(Path(f"/proc/{member}/smaps_rollup").read_text() for member in tree(pid)).splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


@contextmanager
def service(site: str, folder: Path, *, run_in: Sequence[str] = (), **settings: str) -> Iterator[Service]:
    """A live service, stopped at the end."""
    running = Service(site, folder, run_in=run_in, **settings)
    try:
        running.wait_until_live()
        yield running
    finally:
        if running.process.poll() is None:
            running.stop()
