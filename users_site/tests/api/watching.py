"""The commands that the service sends to Redis, as MONITOR shows them; the steps of scripts separately."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import redis

from tools.processes.store import Store


class Watch:
    """The commands since it began, filled when it ends."""

    def __init__(self) -> None:
        self.commands: list[str] = []
        """Names of the commands that the service sent, one round trip each at most."""
        self.steps: list[str] = []
        """Names of the commands inside scripts, script by script."""


@contextmanager
def watch(store: Store) -> Iterator[Watch]:
    """Watches the service's connections for as long as the block lasts."""
    seen, marker = Watch(), uuid4().hex
    with store.client() as client, redis.Redis.from_url(store.url, socket_timeout=10).monitor() as monitor:
        service = {entry["addr"] for entry in client.client_list() if entry["name"] == "user-service"}
        assert service, "the service has no connection yet: ask it for something first"
        yield seen
        client.echo(marker)
        while marker not in (command := monitor.next_command())["command"]:
            name = command["command"].split(" ")[0].upper()
            if command["client_type"] == "lua":
                seen.steps.append(name)
            elif f"{command['client_address']}:{command['client_port']}" in service:
                seen.commands.append(name)
