"""The primary loses its replicas, accepts writes for a moment, and dies: three sentinels elect another one."""

import asyncio
from pathlib import Path

from tools.drills.load import load
from tools.drills.outcome import Drill, Outcome
from tools.drills.sentinels import group
from tools.drills.stage import stage

CUT_OFF_SECONDS = 0.5
AFTER_SECONDS = 5.0


async def play(folder: Path) -> list[Outcome]:
    """`replicated` may lose nothing; `memory` shows the loss."""
    return [await fail_over(folder / durability, durability) for durability in ("replicated", "memory")]


async def fail_over(folder: Path, durability: str) -> Outcome:
    async with group(folder / "redis") as redis, stage(folder) as on:
        _, gateway = await on.pair(redis.url, DURABILITY=durability)
        outcome = Outcome(f"Sentinel failover ({durability})", on.ledger)
        async with load(gateway.port, on.ledger):
            await asyncio.sleep(2)
            await asyncio.to_thread(redis.cut_off_replicas)
            await asyncio.sleep(CUT_OFF_SECONDS)
            died = await asyncio.to_thread(redis.kill_primary)
            elected = await redis.elected()
            await asyncio.sleep(AFTER_SECONDS)
        await outcome.verify(gateway.port, may_lose=durability == "memory")
        outcome.require("s from the election to a read", outcome.seconds_until_good(elected), 1)
        outcome.require("s from the primary's death to a write", outcome.seconds_until_good(died, writes_only=True), 5)
        outcome.require("s without a good write", outcome.outage(writes_only=True), CUT_OFF_SECONDS + 5)
        if durability == "memory":
            outcome.note = f"{outcome.lost} acknowledged writes lost, as DURABILITY=memory allows"
        return outcome


DRILL = Drill("sentinel-failover", "the primary is cut off from its replicas and killed, 3 sentinels elect", play)
