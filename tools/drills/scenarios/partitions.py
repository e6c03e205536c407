"""16 partitions over a cluster: a primary is killed, a node joins, or all users move to it from one server."""

import asyncio
from collections.abc import Collection
from time import monotonic

from redis.crc import key_slot

from tools.drills.ledger import Event
from tools.drills.outcome import Outcome
from tools.drills.relay import Relay
from tools.drills.scenarios.restore import step
from tools.drills.stage import Stage
from tools.processes.cluster import Nodes, cluster
from tools.processes.valkey import Valkey
from users_site.repository.keys import Layout, Partition

LAYOUT = Layout(16)
DOWN_SECONDS = 3.0
REDIRECTIONS = ("MOVED", "ASK", "TRYAGAIN")
USERS = 20_000


def partitions_of(nodes: Nodes, node: Valkey) -> list[Partition]:
    return [each for each in LAYOUT.partitions if nodes.serves(node, slot_of(each))]


def slot_of(partition: Partition) -> int:
    slot: int = key_slot(partition.index.encode())
    return slot


async def lose(on: Stage, replicas: int, durability: str) -> None:
    """`kill -9` of one of 3 primaries that hold 16 partitions, under load.

    A replica takes over; without one, the primary comes back with its append-only file.
    """
    lines = ["appendfsync always"] if durability == "fsync" else []
    nodes = await on.start(cluster(*lines, replicas=replicas))
    _, gateway = await on.pair(nodes.url, PARTITIONS="16", DURABILITY=durability)
    how = "no replica, back after 3 s" if replicas == 1 else "a replica takes over"
    victim = nodes.all[1]
    lost = partitions_of(nodes, victim)
    async with on.loaded(f"a primary of 16 partitions killed: {how}", gateway.port) as outcome:
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
    judge(outcome, lost, back)
    outcome.note = f"{len(lost)} of 16 partitions were without a primary for {back - died:.1f} s"


def restart(nodes: Nodes, victim: Valkey) -> None:
    """Restarts it as the replica of its successor: until then no write there is replicated."""
    if not victim.is_running:
        victim.start()
    nodes.until_settled()


def judge(outcome: Outcome, lost: Collection[Partition], back: float) -> None:
    """No request for users of other primaries fails; the killed primary's users, and lists, are served soon after its
    slots."""
    touched, others = Outcome("lists and users of the killed primary"), Outcome("users of the others")
    for event in outcome.ledger.events:
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


async def grow(on: Stage) -> None:
    """A node joins a cluster of 16 partitions, and slots move to it in both ways, under load."""
    nodes = await on.start(cluster("appendfsync always"))
    _, gateway = await on.pair(nodes.url, PARTITIONS="16", DURABILITY="fsync")
    async with on.loaded("a node joins 16 partitions, slots move", gateway.port) as outcome:
        await asyncio.sleep(2)
        added = await on.start(nodes.joined())
        count = await move_half(nodes, added)
        await asyncio.sleep(2)
    seen = {kind: redirections(nodes, kind) for kind in REDIRECTIONS}
    outcome.require("bad answers", outcome.bad, 0)
    outcome.require("s without a good answer", outcome.outage(), 1)
    outcome.require("kinds of redirection that did not happen", sum(not times for times in seen.values()), 0)
    outcome.note = f"{count} partitions moved; " + ", ".join(f"{times} {kind}" for kind, times in seen.items())


async def move_half(nodes: Nodes, target: Valkey) -> int:
    """Moves the partitions of two primaries in turn, in one step and key by key. Returns how many."""
    slots = [slot_of(home) for node in nodes.all[1:3] for home in partitions_of(nodes, node)]
    for number, slot in enumerate(slots):
        await asyncio.to_thread(nodes.move_by_key if number % 2 else nodes.move_slot, target, slot)
        await asyncio.sleep(0.2)
    return len(slots)


def redirections(nodes: Nodes, kind: str) -> int:
    counts = [node.client().info("errorstats").get(f"errorstat_{kind}", {}) for node in nodes.all]
    return sum(int(each.get("count", 0)) for each in counts)


async def move(on: Stage) -> None:
    """`move_users` from one server to 16 partitions of a cluster under load."""
    nodes, old, net = await on.start(cluster()), await on.store("old"), await on.enter(Relay())
    await asyncio.to_thread(step, "seed", old.url, "seed_users", "--count", str(USERS))
    before = await on.users(old.url)
    net.target = before.port
    gateway = await on.gateway(net.url)
    words = ("move_users", "--from", old.url, "--to", nodes.url, "--format", "json")
    async with on.loaded(f"move_users of {USERS:,} users from one server to 16 partitions", gateway.port) as outcome:
        await asyncio.sleep(2)
        moved = await asyncio.to_thread(step, "move", old.url, *words, PARTITIONS="16")
        # Before a client can write to the new store.
        export = ("export_users", str(on.folder / "users.ndjson.gz"), "--format", "json")
        ours = await asyncio.to_thread(step, "export", old.url, *export)
        theirs = await asyncio.to_thread(step, "export", nodes.url, *export, PARTITIONS="16")
        net.target = (await on.users(nodes.url, PARTITIONS="16")).port
        await on.stop(before)
        await asyncio.sleep(2)
    outcome.require("s that writes were held", moved["held_seconds"], 5)
    outcome.require("bad GETs", outcome.bad_reads, 0)
    outcome.require("digests that differ", ours["sha256"] != theirs["sha256"], 0)
    outage = outcome.outage(writes_only=True)
    outcome.note = f"{outage:.1f} s without a write, with both exports and the start of the new service"
