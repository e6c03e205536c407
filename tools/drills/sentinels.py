"""A primary, two replicas and three sentinels."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

import redis

from tools.drills.stage import Stage
from tools.processes.sentinel import NAME, sentinel_of, sentinel_url
from tools.processes.store import PASSWORD, Store
from tools.processes.valkey import Valkey

REPLICAS, SENTINELS, QUORUM = 2, 3, 2
SETTLED_SECONDS = 30


@dataclass
class Group:
    primary: Store
    replicas: list[Store]
    sentinels: list[Valkey]

    @property
    def url(self) -> str:
        return sentinel_url(*(sentinel.port for sentinel in self.sentinels), password=PASSWORD)

    def states(self) -> list[dict[str, Any]]:
        """The primary, as each sentinel sees it. Raises RedisError."""
        return [each.client().sentinel_master(NAME) for each in self.sentinels]  # type: ignore[misc]

    def cut_off_replicas(self) -> None:
        """Disconnects the replicas: they cannot log in again."""
        for replica in self.replicas:
            replica.command("CONFIG", "SET", "masterauth", "not the password")
        self.primary.command("CLIENT", "KILL", "TYPE", "REPLICA")

    def kill_primary(self) -> float:
        """`kill -9`; the replicas can follow the next primary. Returns the time of death."""
        self.primary.kill()
        died = monotonic()
        for replica in self.replicas:
            replica.command("CONFIG", "SET", "masterauth", PASSWORD)
        return died

    async def elected(self) -> float:
        await until(lambda: any(state["port"] != self.primary.port for state in self.states()), 0.02)
        return monotonic()

    def is_settled(self) -> bool:
        try:
            states = self.states()
        except redis.RedisError:
            return False
        known = all(s["num-slaves"] == REPLICAS and s["num-other-sentinels"] == SENTINELS - 1 for s in states)
        links = [replica.client().info("replication").get("master_link_status") for replica in self.replicas]
        return known and links == ["up"] * REPLICAS


async def group(on: Stage) -> Group:
    """A running group, with both replicas in sync and all sentinels connected."""
    primary, *replicas = [await on.store(f"store-{n}", appendfsync="everysec") for n in range(REPLICAS + 1)]
    for replica in replicas:
        replica.command("REPLICAOF", "127.0.0.1", primary.port)
    sentinels = [await on.start(sentinel_of(primary, QUORUM, 5000)) for _ in range(SENTINELS)]
    made = Group(primary, replicas, sentinels)
    await until(made.is_settled, 0.1)
    return made


async def until(condition: Callable[[], bool], pause: float) -> None:
    """Raises TimeoutError."""
    async with asyncio.timeout(SETTLED_SECONDS):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(pause)
