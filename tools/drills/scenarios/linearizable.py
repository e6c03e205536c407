"""Concurrent reads, writes, conditional writes and deletions of the same users, and users that compete for the same emails,
under faults: each history is linearizable."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tools.drills.clock import Clock
from tools.drills.histories import Crowd
from tools.drills.outcome import Drill, Outcome
from tools.drills.relay import Relay
from tools.drills.sentinels import group
from tools.drills.stage import Stage, own_store, stage
from tools.processes.cluster import Nodes, cluster
from tools.processes.service import Service
from tools.processes.store import Store

FAULT_SECONDS, CALM_SECONDS = 1.0, 1.0


@dataclass
class Rig:
    """The pair behind relays, whose ports stay when a service is started again: `front` before the gateway, `net` behind."""

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


@asynccontextmanager
async def rig(folder: Path, url: str, **settings: str) -> AsyncIterator[Rig]:
    async with stage(folder) as on, Relay() as front, Relay() as net:
        made = Rig(on, url, settings, front, net)
        await made.start_users()
        await made.start_gateway()
        yield made


async def spell(begin: Callable[[], object], end: Callable[[], object]) -> None:
    """A fault, then calm."""
    begin()
    await asyncio.sleep(FAULT_SECONDS)
    end()
    await asyncio.sleep(CALM_SECONDS)


async def inflict(it: Rig, store: Store, clock: Clock) -> None:
    """Each fault in turn, with calm between them."""
    for command in (("CLIENT", "KILL", "TYPE", "NORMAL", "SKIPME", "YES"), ("SCRIPT", "FLUSH")):
        store.command(*command)
        await asyncio.sleep(CALM_SECONDS)
    await spell(store.freeze, store.thaw)
    for service in (it.users, it.gateway):
        await spell(*(partial(it.on.signal, service, number) for number in (signal.SIGSTOP, signal.SIGCONT)))
    for knobs in ({"drops_answers": True}, {"reset_share": 0.1}, {"is_cut": True}):
        await spell(partial(it.net.spoil, **knobs), it.net.mend)
    await spell(*(partial(store.command, "CONFIG", "SET", "maxmemory", limit) for limit in ("1mb", "0")))
    for step in (-3600, 3600):
        await spell(partial(clock.step, step), partial(clock.step, 0))
    await spell(store.kill, store.start)
    for service, start in ((it.users, it.start_users), (it.gateway, it.start_gateway)):
        it.on.kill(service)
        await start()
        await asyncio.sleep(2 * CALM_SECONDS)


async def play(folder: Path) -> list[Outcome]:
    servers = [await one_server(folder / partitions, partitions) for partitions in ("1", "16")]
    return [*servers, await failover(folder / "failover"), await on_cluster(folder / "cluster")]


async def one_server(folder: Path, partitions: str) -> Outcome:
    """With 16 partitions, users and the emails that they take mostly lie in different ones."""
    folder.mkdir()
    clock = Clock(folder / "clock")
    async with (
        own_store(folder / "store", appendfsync="always") as store,
        rig(folder, store.url, DURABILITY="fsync", PARTITIONS=partitions, **clock.settings) as it,
    ):
        crowd = Crowd(it.front.port)
        await crowd.create()
        async with crowd.load():
            await inflict(it, store, clock)
    return judged(f"linearizable histories under 14 faults, PARTITIONS={partitions}", crowd)


async def failover(folder: Path) -> Outcome:
    async with group(folder / "redis") as redis, rig(folder, redis.url, DURABILITY="replicated") as it:
        crowd = Crowd(it.front.port)
        await crowd.create()
        async with crowd.load():
            await asyncio.sleep(CALM_SECONDS)
            await asyncio.to_thread(redis.kill_primary)
            await redis.elected()
            await asyncio.sleep(5 * CALM_SECONDS)
    return judged("linearizable histories under a Sentinel failover", crowd)


async def on_cluster(folder: Path) -> Outcome:
    """Users and the emails that they take lie in different partitions, on three primaries."""
    folder.mkdir()
    with cluster("appendfsync always") as nodes:
        async with rig(folder, nodes.url, DURABILITY="fsync", PARTITIONS="16") as it:
            crowd = Crowd(it.front.port)
            await crowd.create()
            async with crowd.load():
                await inflict_on_cluster(it, nodes)
        return judged("linearizable histories over 16 partitions of a cluster", crowd)


async def inflict_on_cluster(it: Rig, nodes: Nodes) -> None:
    """Slots move, a primary dies and comes back, a replica takes over, answers are lost, and each service dies."""
    await asyncio.sleep(CALM_SECONDS)
    home, other = nodes.owner, nodes.another()
    slots = {home.command("CLUSTER", "KEYSLOT", key) for key in home.client().scan_iter("*user:*")}
    for slot in sorted(slots)[:2]:
        await asyncio.to_thread(nodes.move_slot, other, slot)
        await asyncio.sleep(CALM_SECONDS)
    await spell(other.kill, other.start)
    nodes.replica.command("CLUSTER", "FAILOVER")
    await asyncio.sleep(CALM_SECONDS)
    await spell(partial(it.net.spoil, drops_answers=True), it.net.mend)
    for service, start in ((it.users, it.start_users), (it.gateway, it.start_gateway)):
        it.on.kill(service)
        await start()
        await asyncio.sleep(2 * CALM_SECONDS)


def judged(name: str, crowd: Crowd) -> Outcome:
    """The verdict on every history, and on the same histories with a violation planted: the checker must find it."""
    outcome = Outcome(name)
    found = crowd.judge()
    missed = ", ".join(
        name + (" (undecided)" if is_explained is None else "") for name, is_explained, _ in found if not is_explained
    )
    outcome.require("histories that no order explains", sum(not is_explained for _, is_explained, _ in found), 0)
    outcome.require("planted violations that were not found", sum(planted is not False for *_, planted in found), 0)
    counted = Counter(each.outcome for each in crowd.steps())
    outcome.note = ", ".join(f"{count} {name}" for name, count in sorted(counted.items())) + (missed and f"; {missed}")
    return outcome


DRILL = Drill(
    "linearizable",
    "concurrent changes of the same users and emails under faults, histories checked",
    play,
    is_quick=False,
)
