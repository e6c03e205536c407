"""A real store for tests, as in production: a Valkey with a password, AOF and noeviction."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.processes.valkey import Valkey

PASSWORD = "a-password-for-tests"
SETTINGS = {"appendonly": "yes", "maxmemory-policy": "noeviction"}


class Store(Valkey):
    """`settings`: those of valkey.conf by keyword, e.g. `maxmemory="200mb"`."""

    def __init__(self, folder: Path, **settings: str) -> None:
        named = SETTINGS | {name.replace("_", "-"): value for name, value in settings.items()}
        super().__init__(folder, *(f"{name} {value}" for name, value in named.items()), password=PASSWORD)


@contextmanager
def store(folder: Path, **settings: str) -> Iterator[Store]:
    running = Store(folder, **settings)
    try:
        running.start()
        yield running
    finally:
        running.stop()
