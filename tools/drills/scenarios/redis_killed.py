"""Redis is killed with `kill -9` under load and restarted from its append-only file."""

import asyncio
from pathlib import Path
from time import monotonic

from tools.drills.load import load
from tools.drills.outcome import Drill, Outcome
from tools.drills.stage import own_store, stage

DOWN_SECONDS = 1.5

KINDS = {
    "memory, appendfsync everysec": {"DURABILITY": "memory", "appendfsync": "everysec"},
    "fsync, appendfsync everysec": {"DURABILITY": "fsync", "appendfsync": "everysec"},
    "fsync, appendfsync always": {"DURABILITY": "fsync", "appendfsync": "always"},
}


async def play(folder: Path) -> list[Outcome]:
    """The weakest setting, whose loss is reported, and those that must lose nothing."""
    return [await kill(folder / str(n), name, **kind) for n, (name, kind) in enumerate(KINDS.items())]


async def kill(folder: Path, name: str, DURABILITY: str, **store_settings: str) -> Outcome:  # noqa: N803
    async with own_store(folder / "store", **store_settings) as store, stage(folder) as on:
        _, gateway = await on.pair(store.url, DURABILITY=DURABILITY)
        outcome = Outcome(f"Redis kill -9 and restart ({name})", on.ledger)
        async with load(gateway.port, on.ledger):
            await asyncio.sleep(2)
            killed = monotonic()
            store.kill()
            await asyncio.sleep(DOWN_SECONDS)
            await asyncio.to_thread(store.start)
            back = monotonic()
            await asyncio.sleep(2)
        await outcome.verify(gateway.port, may_lose=DURABILITY == "memory")
        if DURABILITY == "memory":
            # Redis delays writes of the file during a sync: on a slow disk the replies overtake them.
            outcome.note = f"{outcome.lost} acknowledged writes lost; up to 2 s of them on a slow disk"
        outcome.require("s until a write works again", outcome.seconds_until_good(back, writes_only=True), 2)
        outcome.require("s until a read works again", outcome.seconds_until_good(back), 2)
        outcome.require("s that a request took while it was down", outcome.slowest(killed, back - 0.1), 2)
        return outcome


DRILL = Drill("redis-killed", "kill -9 of Redis under load, restart on its AOF", play)
