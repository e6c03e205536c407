"""The network between two processes is cut, slow, or resets connections.

With root, a cut drops packets between network namespaces; a relay makes all other faults.
"""

import asyncio
from time import monotonic
from typing import Any, NamedTuple

from tools.drills.namespace import Wire, is_allowed, namespace
from tools.drills.relay import Relay
from tools.drills.stage import Stage
from tools.processes.store import PASSWORD

AFTER_SECONDS = 2.0
BETWEEN_SERVICES, BEFORE_REDIS = "gateway and user-service", "user-service and Redis"


class Fault(NamedTuple):
    """`longest`: the maximum duration of a request in seconds, by place."""

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


async def cut(on: Stage) -> None:
    """No packet passes, first between the services, then before Redis.

    The user service has a namespace of its own, with a wire to the gateway and one to Redis.
    """
    if not await asyncio.to_thread(is_allowed):
        await relayed(on, (BETWEEN_SERVICES, BEFORE_REDIS), (CUT,))
        return
    alone = await on.start(namespace(gateway=False, redis=True))
    to_gateway, to_redis = alone.wires["gateway"], alone.wires["redis"]
    store = await on.store(bind=f"127.0.0.1 {to_redis.near}")
    store_url = f"redis://:{PASSWORD}@{to_redis.near}:{store.port}/0"
    users = await on.users(store_url, run_in=alone.run_in, HOST=to_gateway.far)
    gateway = await on.gateway(users.url)
    for place, wire in ((BETWEEN_SERVICES, to_gateway), (BEFORE_REDIS, to_redis)):
        await measure(on, gateway.port, place, CUT, wire)


async def relayed(on: Stage, places: tuple[str, ...], faults: tuple[Fault, ...] = FAULTS) -> None:
    """100 ms and 2 s more each way, 1 % resets; between the services or before Redis."""
    store = await on.store()
    before_redis, between_services = await on.enter(Relay(store.port)), await on.enter(Relay())
    users = await on.users(f"redis://:{PASSWORD}@127.0.0.1:{before_redis.port}/0")
    between_services.target = users.port
    gateway = await on.gateway(between_services.url)
    for place in places:
        for fault in faults:
            relay = between_services if place == BETWEEN_SERVICES else before_redis
            await measure(on, gateway.port, place, fault, relay)


async def measure(on: Stage, port: int, place: str, fault: Fault, link: Wire | Relay) -> None:
    how = " (relay)" if isinstance(link, Relay) else ""
    async with on.loaded(f"network between {place}: {fault.name}{how}", port) as outcome:
        await asyncio.sleep(0.5)
        began = monotonic()
        link.inject(**fault.knobs)
        await asyncio.sleep(fault.seconds)
        link.heal()
        healed = monotonic()
        await asyncio.sleep(AFTER_SECONDS)
    outcome.require("s that a request took", outcome.slowest(began, healed), fault.longest[place])
    outcome.require("s until a write works again", outcome.seconds_until_good(healed, writes_only=True), 2)
    if fault.bad_answers is not None:
        outcome.require("bad answers", outcome.bad, fault.bad_answers)
    if fault is RESETS and place == BETWEEN_SERVICES:
        outcome.require("bad GETs", outcome.bad_reads, 0)
