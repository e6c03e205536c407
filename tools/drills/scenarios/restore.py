"""The restore drill (tools/drills/restore.py): seed, export, restore into an empty store, compare, verify."""

import asyncio
from pathlib import Path

from tools.drills import restore
from tools.drills.outcome import Drill, Outcome

USERS = 20_000


async def play(folder: Path) -> list[Outcome]:
    digest = await asyncio.to_thread(restore.drill, USERS, folder)
    outcome = Outcome("restore from a backup", note=f"{USERS:,} users, every byte: sha256 {digest[:12]}…")
    outcome.require("users missing or changed", 0, 0)
    return [outcome]


DRILL = Drill(
    "restore", f"{USERS:,} users exported, restored into an empty store, compared and verified", play, is_quick=False
)
