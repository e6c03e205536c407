"""A primary, two replicas and three sentinels."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import redis

from tools.drills.stage import own_store
from tools.processes.sentinel import NAME, sentinel_of, sentinel_url
from tools.processes.store import PASSWORD, Store
from tools.processes.valkey import Valkey

REPLICAS, SENTINELS, QUORUM = 2, 3, 2
SETTLED_SECONDS = 30


class Group:
    def __init__(self, primary: Store, replicas: list[Store], sentinels: list[Valkey]) -> None:
        self.primary, self.replicas, self.sentinels = primary, replicas, sentinels

    @property
    def url(self) -> str:
        return sentinel_url(*(sentinel.port for sentinel in self.sentinels), password=PASSWORD)

    def states(self) -> list[dict[str, Any]]:
        """The primary, as each sentinel sees it. Raises RedisError."""
        return [each.client().sentinel_master(NAME) for each in self.sentinels]  # type: ignore[misc]

    def cut_off_replicas(self) -> None:
        """Disconnects the replicas: they cannot log in again."""
        for replica in self.replicas:
            with replica.client() as client:
                client.config_set("masterauth", "not the password")
        with self.primary.client() as client:
            client.execute_command("CLIENT", "KILL", "TYPE", "REPLICA")

    def kill_primary(self) -> float:
        """`kill -9`; the replicas can follow the next primary. Returns the time of death."""
        self.primary.kill()
        died = monotonic()
        for replica in self.replicas:
            with replica.client() as client:
                client.config_set("masterauth", PASSWORD)
        return died

    async def elected(self) -> float:
        async with asyncio.timeout(SETTLED_SECONDS):
            while await asyncio.to_thread(self._named) == self.primary.port:
                await asyncio.sleep(0.02)
        return monotonic()

    def _named(self) -> int:
        ports = [state["port"] for state in self.states()]
        return next((port for port in ports if port != self.primary.port), self.primary.port)


@asynccontextmanager
async def group(folder: Path) -> AsyncIterator[Group]:
    """Running, with both replicas in sync and all sentinels connected."""
    async with AsyncExitStack() as stack:
        primary, *replicas = [
            await stack.enter_async_context(own_store(folder / f"store-{n}", appendfsync="everysec"))
            for n in range(REPLICAS + 1)
        ]
        for replica in replicas:
            with replica.client() as client:
                client.replicaof("127.0.0.1", primary.port)
        sentinels = [stack.enter_context(sentinel_of(primary, QUORUM, 5000)) for _ in range(SENTINELS)]
        made = Group(primary, replicas, sentinels)
        await _settled(made)
        yield made


async def _settled(made: Group) -> None:
    async with asyncio.timeout(SETTLED_SECONDS):
        while not await asyncio.to_thread(_is_settled, made):
            await asyncio.sleep(0.1)


def _is_settled(made: Group) -> bool:
    try:
        states = made.states()
    except redis.RedisError:
        return False
    known = all(s["num-slaves"] == REPLICAS and s["num-other-sentinels"] == SENTINELS - 1 for s in states)
    links = [replica.client().info("replication").get("master_link_status") for replica in made.replicas]
    return known and links == ["up"] * REPLICAS
