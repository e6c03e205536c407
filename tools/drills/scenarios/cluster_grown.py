"""A node joins a cluster of 16 partitions, and slots with users move to it under load, in both ways."""

import asyncio
from contextlib import ExitStack
from pathlib import Path

from tools.drills.load import load
from tools.drills.outcome import Drill, Outcome
from tools.drills.scenarios.partition_lost import partitions_of, slot_of
from tools.drills.stage import stage
from tools.processes.cluster import Nodes, cluster
from tools.processes.valkey import Valkey

REDIRECTIONS = ("MOVED", "ASK", "TRYAGAIN")


async def play(folder: Path) -> list[Outcome]:
    with ExitStack() as stack:
        nodes = await asyncio.to_thread(stack.enter_context, cluster("appendfsync always"))
        async with stage(folder) as on:
            _, gateway = await on.pair(nodes.url, PARTITIONS="16", DURABILITY="fsync")
            outcome = Outcome("a node joins 16 partitions, slots move", on.ledger)
            async with load(gateway.port, on.ledger):
                await asyncio.sleep(2)
                added = await asyncio.to_thread(stack.enter_context, nodes.joined())
                count = await move_half(nodes, added)
                await asyncio.sleep(2)
            await outcome.verify(gateway.port)
        seen = {kind: redirections(nodes, kind) for kind in REDIRECTIONS}
    outcome.require("bad answers", outcome.bad, 0)
    outcome.require("s without a good answer", outcome.outage(), 1)
    outcome.require("kinds of redirection that did not happen", sum(not times for times in seen.values()), 0)
    outcome.note = f"{count} partitions moved; " + ", ".join(f"{times} {kind}" for kind, times in seen.items())
    return [outcome]


async def move_half(nodes: Nodes, target: Valkey) -> int:
    """Moves the partitions of two primaries in turn, at once and key by key. Returns how many."""
    slots = [slot_of(home) for node in nodes.all[1:3] for home in partitions_of(nodes, node)]
    for number, slot in enumerate(slots):
        await asyncio.to_thread(nodes.move_by_key if number % 2 else nodes.move_slot, target, slot)
        await asyncio.sleep(0.2)
    return len(slots)


def redirections(nodes: Nodes, kind: str) -> int:
    counts = [node.client().info("errorstats").get(f"errorstat_{kind}", {}) for node in nodes.all]
    return sum(int(each.get("count", 0)) for each in counts)


DRILL = Drill("cluster-grown", "a node joins the cluster of 16 partitions, slots move under load", play)
