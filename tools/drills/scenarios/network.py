"""The network between two processes is cut, slow, or resets connections.

With root, a cut drops packets between network namespaces; a relay makes all other faults.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

from tools.drills.ledger import Ledger
from tools.drills.load import load
from tools.drills.namespace import is_allowed, namespace
from tools.drills.outcome import Drill, Outcome
from tools.drills.relay import Relay
from tools.drills.stage import own_store, stage
from tools.processes.store import PASSWORD

AFTER_SECONDS = 2.0
BETWEEN_SERVICES, BEFORE_REDIS = "gateway and user-service", "user-service and Redis"


class Fault(NamedTuple):
    """`longest`: seconds that a request may take, by place."""

    name: str
    seconds: float
    knobs: dict[str, Any]
    longest: dict[str, float]
    bad_answers: int | None = None


CUT = Fault("cut", 6.0, {"is_cut": True}, {BETWEEN_SERVICES: 5.5, BEFORE_REDIS: 2.0})
RESETS = Fault("1 % resets", 3.0, {"reset_share": 0.01}, {BETWEEN_SERVICES: 2.0, BEFORE_REDIS: 2.0})
FAULTS = (
    # A page whose users are deleted between its trips to Redis is refilled up to four times: eleven trips of 0.2 s.
    Fault("100 ms more each way", 2.0, {"latency": 0.1}, {BETWEEN_SERVICES: 1.5, BEFORE_REDIS: 2.5}, bad_answers=0),
    Fault("2 s more each way", 3.0, {"latency": 2.0}, {BETWEEN_SERVICES: 5.5, BEFORE_REDIS: 2.0}),
    RESETS,
)


async def between_services(folder: Path) -> list[Outcome]:
    return await relayed(folder, BETWEEN_SERVICES, FAULTS)


async def before_redis(folder: Path) -> list[Outcome]:
    return await relayed(folder, BEFORE_REDIS, FAULTS)


async def cut(folder: Path) -> list[Outcome]:
    """At both places: the user service has a namespace of its own, with a wire to the gateway and one to Redis."""
    if not await asyncio.to_thread(is_allowed):
        return [
            outcome
            for place in (BETWEEN_SERVICES, BEFORE_REDIS)
            for outcome in await relayed(folder / place.replace(" ", "-"), place, (CUT,))
        ]
    with namespace("gateway", "redis") as alone:
        to_gateway, to_redis = alone.wires["gateway"], alone.wires["redis"]
        async with own_store(folder / "store", bind=f"127.0.0.1 {to_redis.near}") as store, stage(folder) as on:
            store_url = f"redis://:{PASSWORD}@{to_redis.near}:{store.port}/0"
            users = await on.users(store_url, run_in=alone.run_in, HOST=to_gateway.far)
            gateway = await on.gateway(users.url)
            return [
                await suffer(
                    gateway.port, BETWEEN_SERVICES, CUT, partial(to_gateway.spoil, is_cut=True), to_gateway.mend
                ),
                await suffer(
                    gateway.port,
                    BEFORE_REDIS,
                    CUT,
                    partial(to_redis.spoil, is_cut=True, for_inside=True),
                    to_redis.mend,
                ),
            ]


async def relayed(folder: Path, place: str, faults: tuple[Fault, ...]) -> list[Outcome]:
    async with (
        own_store(folder / "store") as store,
        stage(folder) as on,
        Relay(store.port) as redis_net,
        Relay() as net,
    ):
        users = await on.users(f"redis://:{PASSWORD}@127.0.0.1:{redis_net.port}/0")
        net.target = users.port
        gateway = await on.gateway(net.url)
        relay = net if place == BETWEEN_SERVICES else redis_net
        return [
            await suffer(gateway.port, place, fault, partial(relay.spoil, **fault.knobs), relay.mend, " (relay)")
            for fault in faults
        ]


async def suffer(
    port: int, place: str, fault: Fault, spoil: Callable[[], None], mend: Callable[[], None], how: str = ""
) -> Outcome:
    ledger = Ledger()
    outcome = Outcome(f"network between {place}: {fault.name}{how}", ledger)
    async with load(port, ledger):
        await asyncio.sleep(0.5)
        began = monotonic()
        spoil()
        await asyncio.sleep(fault.seconds)
        mend()
        mended = monotonic()
        await asyncio.sleep(AFTER_SECONDS)
    await outcome.verify(port)
    outcome.require("s that a request took", outcome.slowest(began, mended), fault.longest[place])
    outcome.require("s until a write works again", outcome.seconds_until_good(mended, writes_only=True), 2)
    if fault.bad_answers is not None:
        outcome.require("bad answers", outcome.bad, fault.bad_answers)
    if fault is RESETS and place == BETWEEN_SERVICES:
        outcome.require("bad GETs", outcome.bad_reads, 0)
    return outcome


SERVICES = Drill("network-services", "100 ms, 2 s, 1 % resets between gateway and user service", between_services)
REDIS = Drill("network-redis", "100 ms, 2 s, 1 % resets between user service and Redis", before_redis)
CUTS = Drill("network-cut", "no packet passes, first between the services, then before Redis", cut)
