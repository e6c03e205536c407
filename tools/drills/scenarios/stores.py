"""The store is killed, fails over, or is full."""

import asyncio
import os
import subprocess
from time import monotonic

from tools.drills.load import load
from tools.drills.sentinels import group
from tools.drills.stage import Stage

DOWN_SECONDS = 1.5
CUT_OFF_SECONDS = 0.5
DISK_SIZE, DISK_FULL_SECONDS = "8m", 4.0


async def kill(on: Stage, durability: str, appendfsync: str) -> None:
    """`kill -9` of Redis under load, and a restart on its append-only file.

    With `memory` it shows the loss; the others must lose nothing.
    """
    store = await on.store(appendfsync=appendfsync)
    _, gateway = await on.pair(store.url, DURABILITY=durability)
    name, may_lose = f"Redis kill -9 and restart ({durability}, appendfsync {appendfsync})", durability == "memory"
    async with on.loaded(name, gateway.port, may_lose=may_lose) as outcome:
        await asyncio.sleep(2)
        killed = monotonic()
        store.kill()
        await asyncio.sleep(DOWN_SECONDS)
        await asyncio.to_thread(store.start)
        back = monotonic()
        await asyncio.sleep(2)
    if may_lose:
        # Redis delays writes to the file during a sync: on a slow disk, replies are sent before.
        outcome.note = f"{outcome.lost} acknowledged writes lost; up to 2 s of them on a slow disk"
    outcome.require("s until a write works again", outcome.seconds_until_good(back, writes_only=True), 2)
    outcome.require("s until a read works again", outcome.seconds_until_good(back), 2)
    outcome.require("s that a request took while it was down", outcome.slowest(killed, back - 0.1), 2)


async def fail_over(on: Stage, durability: str) -> None:
    """The primary loses its replicas, accepts writes for a moment, and dies; 3 sentinels elect another one.

    With `replicated` it must lose nothing; with `memory` it shows the loss.
    """
    redis = await group(on)
    _, gateway = await on.pair(redis.url, DURABILITY=durability)
    name, may_lose = f"Sentinel failover ({durability})", durability == "memory"
    async with on.loaded(name, gateway.port, may_lose=may_lose) as outcome:
        await asyncio.sleep(2)
        await asyncio.to_thread(redis.cut_off_replicas)
        await asyncio.sleep(CUT_OFF_SECONDS)
        died = await asyncio.to_thread(redis.kill_primary)
        elected = await redis.elected()
        await asyncio.sleep(5)
    outcome.require("s from the election to a read", outcome.seconds_until_good(elected), 1)
    outcome.require("s from the primary's death to a write", outcome.seconds_until_good(died, writes_only=True), 5)
    outcome.require("s without a good write", outcome.outage(writes_only=True), CUT_OFF_SECONDS + 5)
    if may_lose:
        outcome.note = f"{outcome.lost} acknowledged writes lost, as DURABILITY=memory allows"


async def fill(on: Stage) -> None:
    """The store is at `maxmemory` for 2 s under load: it refuses writes and serves reads."""
    store = await on.store()
    _, gateway = await on.pair(store.url)
    async with on.loaded("store full", gateway.port) as outcome:
        await asyncio.sleep(1)
        store.command("CONFIG", "SET", "maxmemory", "1mb")
        await asyncio.sleep(2)
        store.command("CONFIG", "SET", "maxmemory", "0")
        room = monotonic()
        await asyncio.sleep(1.5)
    outcome.require("bad GETs", outcome.bad_reads, 0)
    outcome.require("s until a write works again", outcome.seconds_until_good(room, writes_only=True), 2)
    outcome.require("drills that found the store not full", not outcome.bad, 0)


async def fill_disk(on: Stage) -> None:
    """The disk of the append-only file is full for 4 s under load; `kill -9` and a restart follow (root)."""
    outcome, disk = on.outcome("disk of the store full"), on.folder / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_SIZE}", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount).returncode:
        outcome.skipped = "mounting a small tmpfs takes root"
        return
    on.stack.callback(lambda: subprocess.run(["umount", disk], check=True))
    store = await on.store("disk/store")
    _, gateway = await on.pair(store.url)
    async with load(gateway.port, outcome.ledger):
        await asyncio.sleep(1)
        ballast = disk / "ballast"
        try:
            ballast.write_bytes(b"\0" * 16 * 1024 * 1024)
        except OSError:
            outcome.note = "writes are refused (misconf) until there is room; reads go on"
        await asyncio.sleep(DISK_FULL_SECONDS)
        ballast.unlink()
        room = monotonic()
        await asyncio.sleep(3)
    store.kill()  # acknowledged writes are in the file: it is read again
    await asyncio.to_thread(store.start)
    await asyncio.sleep(2)
    await outcome.verify(gateway.port)
    outcome.require("bad GETs", outcome.bad_reads, 0)
    outcome.require("s until a write works again", outcome.seconds_until_good(room, writes_only=True), 2)
