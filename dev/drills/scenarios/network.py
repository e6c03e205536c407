"""The network between two of the processes is cut, slow, or breaks connections: a relay stands in for it."""

import asyncio
from pathlib import Path
from time import monotonic
from typing import Any

from common.tests.store import PASSWORD
from dev.drills.drill import Drill
from dev.drills.ledger import Ledger
from dev.drills.load import load
from dev.drills.outcome import Outcome
from dev.drills.relay import Relay
from dev.drills.stage import own_store, stage

AFTER_SECONDS = 2.0
BETWEEN_SERVICES, BEFORE_REDIS = "gateway and user-service", "user-service and Redis"

# How long, what is done to the relay, the longest that a request may take in seconds, and how many answers may be bad.
FAULTS: dict[str, tuple[float, dict[str, Any], dict[str, float], int | None]] = {
    "cut": (6.0, {"is_cut": True}, {BETWEEN_SERVICES: 5.5, BEFORE_REDIS: 2.0}, None),
    "100 ms more each way": (2.0, {"latency": 0.1}, {BETWEEN_SERVICES: 1.5, BEFORE_REDIS: 1.5}, 0),
    "2 s more each way": (3.0, {"latency": 2.0}, {BETWEEN_SERVICES: 5.5, BEFORE_REDIS: 2.0}, None),
    "1 % resets": (3.0, {"reset_share": 0.01}, {BETWEEN_SERVICES: 2.0, BEFORE_REDIS: 2.0}, None),
}


async def play(folder: Path) -> list[Outcome]:
    """Each fault at each place, on one pair a place."""
    return [outcome for place in (BETWEEN_SERVICES, BEFORE_REDIS) for outcome in await at(folder, place)]


async def at(folder: Path, place: str) -> list[Outcome]:
    """All faults at one place, one after the other on one pair."""
    folder = folder / place.replace(" ", "-")
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
        return [await suffer(gateway.port, relay, place, name) for name in FAULTS]


async def suffer(port: int, net: Relay, place: str, name: str) -> Outcome:
    """One fault at one place."""
    seconds, knobs, longest, bad_answers = FAULTS[name]
    ledger = Ledger()
    outcome = Outcome(f"network between {place}: {name}", ledger)
    async with load(port, ledger):
        await asyncio.sleep(0.5)
        outcome.faults.append((began := monotonic(), name))
        net.spoil(**knobs)
        await asyncio.sleep(seconds)
        net.mend()
        outcome.faults.append((mended := monotonic(), "mended"))
        await asyncio.sleep(AFTER_SECONDS)
    outcome.verdict = await ledger.verify(port)
    outcome.require("writes lost or doubled", outcome.lost + outcome.doubled, 0)
    outcome.require("s that a request took", outcome.slowest(began, mended), longest[place])
    outcome.require("s until a write works again", outcome.seconds_until_good(mended, writes_only=True), 2)
    if bad_answers is not None:
        outcome.require("bad answers", outcome.bad, bad_answers)
    if name == "1 % resets" and place == BETWEEN_SERVICES:
        outcome.require("bad GETs", outcome.bad_reads, 0)
    return outcome


DRILL = Drill("network", "cut, 100 ms, 2 s, 1 % resets, between gateway, user service and Redis", play)
