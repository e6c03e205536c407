"""One of three primaries with the users of 16 partitions is killed: the users of the others notice nothing."""

import asyncio
from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path
from time import monotonic

from redis.crc import key_slot

from tools.drills.ledger import Event
from tools.drills.load import load
from tools.drills.outcome import Drill, Outcome
from tools.drills.stage import stage
from tools.processes.cluster import Nodes, cluster
from tools.processes.valkey import Valkey
from users_site.repository.keys import Layout, Partition

LAYOUT = Layout(16)
DOWN_SECONDS = 3.0


async def play(folder: Path) -> list[Outcome]:
    """A replica takes over; without one, the primary comes back with its append-only file."""
    return [
        await kill(folder / "replica", "a replica takes over", replicas=3, DURABILITY="replicated"),
        await kill(folder / "alone", "no replica, back after 3 s", "appendfsync always", DURABILITY="fsync"),
    ]


async def kill(folder: Path, name: str, *lines: str, replicas: int = 1, **settings: str) -> Outcome:
    with ExitStack() as stack:
        nodes = await asyncio.to_thread(stack.enter_context, cluster(*lines, replicas=replicas))
        async with stage(folder) as on:
            _, gateway = await on.pair(nodes.url, PARTITIONS="16", **settings)
            outcome = Outcome(f"a primary of 16 partitions killed: {name}", on.ledger)
            victim = nodes.all[1]
            lost = partitions_of(nodes, victim)
            async with load(gateway.port, on.ledger):
                await asyncio.sleep(2)
                victim.kill()
                died = monotonic()
                if replicas == 1:
                    await asyncio.sleep(DOWN_SECONDS)
                    await asyncio.to_thread(victim.start)
                await asyncio.to_thread(nodes.until_served, slot_of(lost[0]))
                back = monotonic()
                await asyncio.to_thread(restart, nodes, victim)
                await asyncio.sleep(2)
            await outcome.verify(gateway.port)
    judge(outcome, lost, back)
    outcome.note = f"{len(lost)} of 16 partitions were without a primary for {back - died:.1f} s"
    return outcome


def restart(nodes: Nodes, victim: Valkey) -> None:
    """As the replica of its successor: until then no write there is replicated."""
    if not victim.is_running:
        victim.start()
    nodes.until_settled()


def partitions_of(nodes: Nodes, node: Valkey) -> list[Partition]:
    return [each for each in LAYOUT.partitions if nodes.serves(node, slot_of(each))]


def slot_of(partition: Partition) -> int:
    slot: int = key_slot(partition.index.encode())
    return slot


def judge(outcome: Outcome, lost: Collection[Partition], back: float) -> None:
    """Of users elsewhere no request fails; the killed primary's users and lists are served soon after its slots are."""
    events = outcome.ledger.events
    touched, others = Outcome("lists and users of the killed primary"), Outcome("users of the others")
    for event in events:
        (touched if is_touched(event, lost) else others).ledger.events.append(event)
    outcome.require("bad answers for users of the others", others.bad, 0)
    outcome.require("s without a good answer for them", others.outage(), 1)
    outcome.require("s without a good answer for the rest", touched.outage(), 12)
    outcome.require("s until the rest is served once the slots are", touched.seconds_until_good(back), 2)
    outcome.require("drills without a bad answer for the rest", not touched.bad, 0)


def is_touched(event: Event, lost: Collection[Partition]) -> bool:
    """Whether a request needs one of these partitions: a list needs all, a create that of its email and of its key."""
    if event.method == "POST":
        return not {LAYOUT.of_email(f"{event.about}@example.com"), LAYOUT.of_key(event.about, "")}.isdisjoint(lost)
    user_id = event.about.partition("/api/users/")[2]
    return not user_id or LAYOUT.of(user_id) in lost


DRILL = Drill("partition-lost", "kill -9 of one of 3 primaries that hold 16 partitions", play)
