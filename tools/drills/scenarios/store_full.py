"""The store is full (`noeviction`): it refuses writes and serves reads, until there is room again."""

import asyncio
from pathlib import Path
from time import monotonic

from tools.drills.load import load
from tools.drills.outcome import Drill, Outcome
from tools.drills.stage import own_store, stage


async def play(folder: Path) -> list[Outcome]:
    """Full for two seconds."""
    async with own_store(folder / "store") as store, stage(folder) as on:
        _, gateway = await on.pair(store.url)
        outcome = Outcome("store full", on.ledger)
        async with load(gateway.port, on.ledger):
            await asyncio.sleep(1)
            with store.client() as client:
                client.config_set("maxmemory", "1mb")
                await asyncio.sleep(2)
                client.config_set("maxmemory", "0")
            room = monotonic()
            await asyncio.sleep(1.5)
        await outcome.verify(gateway.port)
        outcome.require("bad GETs", outcome.bad_reads, 0)
        outcome.require("s until a write works again", outcome.seconds_until_good(room, writes_only=True), 2)
        if not outcome.bad:
            outcome.require("drills that found the store not full", 1, 0)
        return [outcome]


DRILL = Drill(
    "store-full", "maxmemory reached under load, room again after 2 s", play, is_quick=False
)  # CI runs it as a test
