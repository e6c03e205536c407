"""Queries a store's configuration as the service would: over a pipe, with the service's time-outs."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from django.conf import settings

from users_site import repository
from users_site.repository.users import UserRepository


class Server(NamedTuple):
    """What a store of users requires; `max_memory` in bytes, 0 for none."""

    eviction_policy: str
    has_aof: bool
    max_memory: int
    role: str
    is_of_cluster: bool


def server_facts(seconds: float) -> Server:
    """By INFO, as CONFIG is forbidden to most users and by most providers. Raises RepositoryError."""
    reply: bytes = asyncio.run(_asked(UserRepository.info, seconds))
    info = dict(line.split(":", 1) for line in reply.decode().split("\r\n") if ":" in line)
    return Server(
        info.get("maxmemory_policy", "unknown"),
        info.get("aof_enabled") == "1",
        int(info.get("maxmemory", 0)),
        info.get("role", "unknown"),
        info.get("cluster_enabled") == "1",
    )


def ready() -> None:
    """Returns if the store serves the users. Raises RepositoryError."""
    asyncio.run(_asked(UserRepository.probe))


async def _asked(question: Callable[[UserRepository], Awaitable[Any]], seconds: float | None = None) -> Any:
    users = repository.connect(settings, timeout=seconds, is_quiet=True)
    try:
        return await question(users)
    finally:
        await users.close()
