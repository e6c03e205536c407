"""The disk of the store's append-only file is full for some time."""

import asyncio
import os
import subprocess
from pathlib import Path
from time import monotonic

from tools.drills.load import load
from tools.drills.outcome import Drill, Outcome
from tools.drills.stage import own_store, stage

SIZE = "8m"
FULL_SECONDS = 4.0


async def play(folder: Path) -> list[Outcome]:
    name = "disk of the store full"
    disk = folder / "disk"
    disk.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", disk]).returncode:
        return [Outcome(name, skipped="mounting a small tmpfs takes root")]
    try:
        return [await fill(folder, disk, name)]
    finally:
        subprocess.run(["umount", disk], check=True)


async def fill(folder: Path, disk: Path, name: str) -> Outcome:
    async with own_store(disk / "store") as store, stage(folder) as on:
        _, gateway = await on.pair(store.url)
        outcome = Outcome(name, on.ledger)
        async with load(gateway.port, on.ledger):
            await asyncio.sleep(1)
            ballast = disk / "ballast"
            try:
                ballast.write_bytes(b"\0" * 16 * 1024 * 1024)
            except OSError:
                outcome.note = "writes are refused (misconf) until there is room; reads go on"
            await asyncio.sleep(FULL_SECONDS)
            ballast.unlink()
            room = monotonic()
            await asyncio.sleep(3)
        store.kill()  # acknowledged writes are in the file: it is read again
        await asyncio.to_thread(store.start)
        await asyncio.sleep(2)
        await outcome.verify(gateway.port)
        outcome.require("bad GETs", outcome.bad_reads, 0)
        outcome.require("s until a write works again", outcome.seconds_until_good(room, writes_only=True), 2)
        return outcome


DRILL = Drill("disk-full", "the disk under the AOF is full for 4 s; then kill -9 and restart", play, is_quick=False)
