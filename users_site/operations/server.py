"""Queries a store's configuration as the service would: over a pipe, with the service's time-outs."""

import asyncio
from typing import NamedTuple

from django.conf import settings

from users_site import repository


class Server(NamedTuple):
    """What a store of users requires; `max_memory` in bytes, 0 for none."""

    eviction_policy: str
    has_aof: bool
    max_memory: int
    role: str
    is_of_cluster: bool


def server_facts(seconds: float) -> Server:
    """By INFO, as CONFIG is forbidden to most users and by most providers. Raises RepositoryError."""
    info = dict(line.split(":", 1) for line in asyncio.run(_info(seconds)).decode().split("\r\n") if ":" in line)
    return Server(
        info.get("maxmemory_policy", "unknown"),
        info.get("aof_enabled") == "1",
        int(info.get("maxmemory", 0)),
        info.get("role", "unknown"),
        info.get("cluster_enabled") == "1",
    )


def ready() -> None:
    """Returns if the store serves the users. Raises RepositoryError."""
    asyncio.run(_probe())


async def _info(seconds: float) -> bytes:
    users = repository.connect(settings, timeout=seconds, is_quiet=True)
    try:
        return await users.info()
    finally:
        await users.close()


async def _probe() -> None:
    users = repository.connect(settings, is_quiet=True)
    try:
        await users.probe()
    finally:
        await users.close()
