"""Concurrent reads, writes, conditional writes and deletions of the same users, and users that compete for the same emails,
under faults: each history is linearizable."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from tools.drills.clock import Clock
from tools.drills.histories import Crowd
from tools.drills.relay import Relay
from tools.drills.sentinels import group
from tools.drills.stage import Stage
from tools.processes.cluster import Nodes, cluster
from tools.processes.service import Service
from tools.processes.store import Store

FAULT_SECONDS, CALM_SECONDS = 1.0, 1.0


@dataclass
class Rig:
    """The pair with relays, whose ports stay when a service is restarted: `front` is before the gateway, `net` after
    it."""

    on: Stage
    url: str
    settings: dict[str, str]
    front: Relay
    net: Relay

    async def start_users(self) -> None:
        self.users: Service = await self.on.users(self.url, **self.settings)
        self.net.target = self.users.port

    async def start_gateway(self) -> None:
        self.gateway: Service = await self.on.gateway(self.net.url, **self.settings)
        self.front.target = self.gateway.port

    async def kill_services(self) -> None:
        """One after the other; each is started again."""
        for service, start in ((self.users, self.start_users), (self.gateway, self.start_gateway)):
            self.on.kill(service)
            await start()
            await asyncio.sleep(2 * CALM_SECONDS)


@asynccontextmanager
async def crowded(on: Stage, name: str, url: str, **settings: str) -> AsyncIterator[Rig]:
    """Clients use the pair during the block; then the checker judges their histories."""
    it = Rig(on, url, settings, await on.enter(Relay()), await on.enter(Relay()))
    await it.start_users()
    await it.start_gateway()
    crowd = Crowd(it.front.port)
    await crowd.create()
    async with crowd.load():
        yield it
    judge(on, f"linearizable histories {name}", crowd)


def judge(on: Stage, name: str, crowd: Crowd) -> None:
    """The verdict on every history, and on the same histories with a violation planted: the checker must find it."""
    outcome, found = on.outcome(name), crowd.judge()
    missed = [name + (" (undecided)" if is_good is None else "") for name, is_good, _ in found if not is_good]
    outcome.require("histories that no order explains", len(missed), 0)
    outcome.require("planted violations that were not found", sum(planted is not False for *_, planted in found), 0)
    counted = Counter(each.outcome for each in crowd.steps())
    outcome.note = "; ".join([", ".join(f"{count} {name}" for name, count in sorted(counted.items())), *missed])


async def one_server(on: Stage, partitions: str) -> None:
    """Concurrent changes of the same users and emails under faults; the histories are checked.

    With 16 partitions, users and the emails that they take are mostly in different ones.
    """
    clock, store = Clock(on.folder / "clock"), await on.store(appendfsync="always")
    settings = {"DURABILITY": "fsync", "PARTITIONS": partitions} | clock.settings
    async with crowded(on, f"under 14 faults, PARTITIONS={partitions}", store.url, **settings) as it:
        await inject_all(it, store, clock)


async def failover(on: Stage) -> None:
    redis = await group(on)
    async with crowded(on, "under a Sentinel failover", redis.url, DURABILITY="replicated"):
        await asyncio.sleep(CALM_SECONDS)
        await asyncio.to_thread(redis.kill_primary)
        await redis.elected()
        await asyncio.sleep(5 * CALM_SECONDS)


async def on_cluster(on: Stage) -> None:
    """Users and the emails that they take are in different partitions, on three primaries."""
    nodes = await on.start(cluster("appendfsync always"))
    settings = {"DURABILITY": "fsync", "PARTITIONS": "16"}
    async with crowded(on, "over 16 partitions of a cluster", nodes.url, **settings) as it:
        await inject_on_cluster(it, nodes)


async def hold(begin: Callable[[], object], end: Callable[[], object]) -> None:
    """A fault, then calm."""
    begin()
    await asyncio.sleep(FAULT_SECONDS)
    end()
    await asyncio.sleep(CALM_SECONDS)


async def inject_all(it: Rig, store: Store, clock: Clock) -> None:
    for command in (("CLIENT", "KILL", "TYPE", "NORMAL", "SKIPME", "YES"), ("SCRIPT", "FLUSH")):
        store.command(*command)
        await asyncio.sleep(CALM_SECONDS)
    await hold(store.freeze, store.thaw)
    for service in (it.users, it.gateway):
        await hold(*(partial(it.on.signal, service, number) for number in (signal.SIGSTOP, signal.SIGCONT)))
    for knobs in ({"drops_answers": True}, {"reset_share": 0.1}, {"is_cut": True}):
        await hold(partial(it.net.inject, **knobs), it.net.heal)
    await hold(*(partial(store.command, "CONFIG", "SET", "maxmemory", limit) for limit in ("1mb", "0")))
    for step in (-3600, 3600):
        await hold(partial(clock.step, step), partial(clock.step, 0))
    await hold(store.kill, store.start)
    await it.kill_services()


async def inject_on_cluster(it: Rig, nodes: Nodes) -> None:
    """Slots move, a primary dies and comes back, a replica takes over, answers are lost, and each service dies."""
    await asyncio.sleep(CALM_SECONDS)
    home, other = nodes.owner, nodes.another()
    slots = {home.command("CLUSTER", "KEYSLOT", key) for key in home.client().scan_iter("*user:*")}
    for slot in sorted(slots)[:2]:
        await asyncio.to_thread(nodes.move_slot, other, slot)
        await asyncio.sleep(CALM_SECONDS)
    await hold(other.kill, other.start)
    nodes.replica.command("CLUSTER", "FAILOVER")
    await asyncio.sleep(CALM_SECONDS)
    await hold(partial(it.net.inject, drops_answers=True), it.net.heal)
    await it.kill_services()
