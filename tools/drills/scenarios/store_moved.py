"""The store moves from one server to a cluster of 16 partitions while clients read and write."""

import asyncio
from contextlib import ExitStack
from pathlib import Path

from tools.drills.load import load
from tools.drills.outcome import Drill, Outcome
from tools.drills.relay import Relay
from tools.drills.restore import step
from tools.drills.stage import own_store, stage
from tools.processes.cluster import cluster

USERS = 20_000


async def play(folder: Path, users: int = USERS) -> list[Outcome]:
    with ExitStack() as stack:
        nodes = await asyncio.to_thread(stack.enter_context, cluster())
        async with own_store(folder / "old") as old, stage(folder) as on, Relay() as net:
            await asyncio.to_thread(step, "seed", old.url, "seed_users", "--count", str(users))
            before = await on.users(old.url)
            net.target = before.port
            gateway = await on.gateway(net.url)
            outcome = Outcome(f"move_users of {users:,} users from one server to 16 partitions", on.ledger)
            words = ("move_users", "--from", old.url, "--to", nodes.url, "--format", "json")
            async with load(gateway.port, on.ledger):
                await asyncio.sleep(2)
                moved = await asyncio.to_thread(step, "move", old.url, *words, PARTITIONS="16")
                # Before a client can change the new store.
                export = ("export_users", str(folder / "users.ndjson.gz"), "--format", "json")
                ours = await asyncio.to_thread(step, "export", old.url, *export)
                theirs = await asyncio.to_thread(step, "export", nodes.url, *export, PARTITIONS="16")
                net.target = (await on.users(nodes.url, PARTITIONS="16")).port
                await on.stop(before)
                await asyncio.sleep(2)
            await outcome.verify(gateway.port)
    outcome.require("s that writes were held", moved["held_seconds"], 5)
    outcome.require("bad GETs", outcome.bad_reads, 0)
    outcome.require("digests that differ", ours["sha256"] != theirs["sha256"], 0)
    outage = outcome.outage(writes_only=True)
    outcome.note = f"{outage:.1f} s without a write, with both exports and the start of the new service"
    return [outcome]


DRILL = Drill(
    "store-moved", "move_users from one server to 16 partitions of a cluster under load", play, is_quick=False
)
