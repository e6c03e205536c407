"""Both services on a new store, on free ports, for checks that run outside pytest."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.processes.service import Service, service
from tools.processes.store import store


@contextmanager
def pair(**settings: str) -> Iterator[tuple[Service, Service]]:
    """The user service and the gateway before it, live, with these settings for both; stopped at the end."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (
            store(folder) as running,
            service("users_site", folder, REDIS_URL=running.url, **settings) as users,
            service("gateway_site", folder, USER_SERVICE_URL=users.url, AUTH="none", **settings) as gateway,
        ):
            yield users, gateway
