"""A real Valkey cluster: its primaries; one replica, of the one that owns the users' slot, or one of each."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import redis
from redis.crc import key_slot

from tools.processes.service import free_port
from tools.processes.valkey import START_SECONDS, Valkey, valkey

SLOT, SLOTS, PRIMARIES = key_slot(b"{users:0}"), 16384, 3
SETTINGS = (
    "cluster-enabled yes",
    "cluster-node-timeout 1500",
    "cluster-require-full-coverage no",
    "cluster-replica-validity-factor 0",
    "cluster-allow-replica-migration no",
    "appendonly yes",
    "maxmemory-policy noeviction",
)


class Nodes:
    """The cluster's servers; those that were killed may be started again."""

    def __init__(self, nodes: list[Valkey], primaries: int) -> None:
        self.all, self._replicas = nodes, len(nodes) - primaries

    @property
    def url(self) -> str:
        """The user service's REDIS_URL."""
        return url_of(*(node.port for node in self.all))

    @property
    def owner(self) -> Valkey:
        """The node that serves the users."""
        return next(node for node in self.all if node.is_running and self.serves(node))

    def serves(self, node: Valkey, slot: int = SLOT) -> bool:
        """Whether the node reports a slot, by default that of the users' one partition, as its own."""
        mine = next(line for line in node.command("CLUSTER", "NODES").decode().splitlines() if "myself" in line)
        ranges = [word.partition("-")[::2] for word in mine.split()[8:] if word[0] != "["]
        return "master" in mine and any(int(low) <= slot <= int(high or low) for low, high in ranges)

    @property
    def replica(self) -> Valkey:
        return next(node for node in self.all if node.client().role()[0] == b"slave")

    def another(self) -> Valkey:
        """A primary that does not own the slot."""
        return next(node for node in self.all if node not in {self.owner, self.replica})

    def move_slot(self, target: Valkey, slot: int = SLOT) -> None:
        """Moves the slot, all keys in one step."""
        owner = next(node for node in self.all if self.serves(node, slot))
        owner.command("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", node_id(target))
        until(lambda: self.serves(target, slot))

    def move_by_key(self, target: Valkey, slot: int, pause: float = 0.2) -> None:
        """Moves the slot as `valkey-cli --cluster reshard` does; half-way, scripts over its keys wait."""
        owner = next(node for node in self.all if self.serves(node, slot))
        target.command("CLUSTER", "SETSLOT", slot, "IMPORTING", node_id(owner))
        owner.command("CLUSTER", "SETSLOT", slot, "MIGRATING", node_id(target))
        to = ("127.0.0.1", target.port, "", 0, 5000, "AUTH", target.password, "KEYS")
        while keys := owner.command("CLUSTER", "GETKEYSINSLOT", slot, 1000):
            owner.command("MIGRATE", *to, *keys[: (len(keys) + 1) // 2])
            time.sleep(pause)
            pause = 0
        for node in (target, owner):
            node.command("CLUSTER", "SETSLOT", slot, "NODE", node_id(target))

    @contextlib.contextmanager
    def joined(self) -> Iterator[Valkey]:
        """One more node, without slots; it refuses commands for new slots until its own state is ok."""
        with valkey(*SETTINGS, f"cluster-port {free_port()}") as added:
            meet(self.all[0], added)
            size = b"cluster_known_nodes:%d\r" % (len(self.all) + 1)
            until(lambda: all(size in node.command("CLUSTER", "INFO") for node in (*self.all, added)))
            until(lambda: b"cluster_state:ok" in added.command("CLUSTER", "INFO"))
            yield added

    def restore(self) -> None:
        """Restores the cluster and empties it: the owner is the node that has a replica."""
        for node in self.all:
            node.thaw() if node.is_running else node.start()
        self.until_settled()
        home = next(node for node in self.all if node.port == self.replica.client().role()[2])
        if self.owner is not home:
            self.move_slot(home)
            self.until_settled()
        for node in self.all:
            if node is not self.replica:
                node.command("FLUSHALL")

    def until_served(self, slot: int) -> None:
        """Waits until a running primary serves the slot, and the others agree."""
        running = [node for node in self.all if node.is_running]
        until(lambda: any(self.serves(node, slot) for node in running))
        until(lambda: all(b"cluster_state:ok" in node.command("CLUSTER", "INFO") for node in running))

    def until_settled(self) -> None:
        """Waits until every node sees the whole cluster and the same owner."""
        until(lambda: len({self._view(node) for node in self.all}) == 1 and self._is_whole())

    def _view(self, node: Valkey) -> Any:
        slots = node.command("CLUSTER", "SLOTS")
        return next((owner[2] for first, last, owner, *_ in slots if first <= SLOT <= last), None)

    def _is_whole(self) -> bool:
        wanted = (
            b"cluster_state:ok\r",
            b"cluster_known_nodes:%d\r" % len(self.all),
            b"cluster_slots_ok:%d\r" % SLOTS,  # the state is ok without
        )
        infos = [node.command("CLUSTER", "INFO") for node in self.all]
        links = [node.client().info("replication").get("master_link_status") for node in self.all]
        return all(line in info for info in infos for line in wanted) and links.count("up") == self._replicas


def node_id(node: Valkey) -> str:
    return str(node.command("CLUSTER", "MYID").decode())


def meet(node: Valkey, other: Valkey) -> None:
    bus = int(str(other.client().config_get("cluster-port")["cluster-port"]))
    node.command("CLUSTER", "MEET", "127.0.0.1", other.port, bus)


def url_of(*ports: int) -> str:
    return "redis+cluster://:p%40ss%2Fword%3A1@" + ",".join(f"127.0.0.1:{port}" for port in ports)


def until(condition: Any, seconds: float = START_SECONDS, pause: float = 0.05) -> None:
    """Waits for the condition; a server that does not answer yet counts as not ready."""
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(redis.RedisError, StopIteration):
            if condition():
                return
        assert time.monotonic() < end, "it does not come true"
        time.sleep(pause)


def ranges(primaries: int) -> list[tuple[int, int]]:
    """The slots, divided evenly among the primaries."""
    return [(i * SLOTS // primaries, (i + 1) * SLOTS // primaries - 1) for i in range(primaries)]


@contextlib.contextmanager
def cluster(
    *settings: str, replicas: int = 1, primaries: int = PRIMARIES, place: Path | None = None
) -> Iterator[Nodes]:
    """A running cluster; `settings`: more lines of valkey.conf. The first replica follows the owner of the users' slot."""
    with contextlib.ExitStack() as stack:
        count = primaries + replicas
        lines = [(*SETTINGS, *settings, f"cluster-port {free_port()}") for _ in range(count)]
        nodes = [stack.enter_context(valkey(*each, place=place)) for each in lines]
        made = Nodes(nodes, primaries)
        for i, (first, last) in enumerate(ranges(primaries)):
            nodes[i].command("CLUSTER", "ADDSLOTSRANGE", first, last)
            nodes[i].command("CLUSTER", "SET-CONFIG-EPOCH", i + 1)
        for other in nodes[1:]:
            meet(nodes[0], other)
        until(lambda: all(b"cluster_known_nodes:%d\r" % count in node.command("CLUSTER", "INFO") for node in nodes))
        owner = made.owner
        followed = sorted(nodes[:primaries], key=lambda each: each is not owner)
        for replica, primary in zip(nodes[primaries:], followed, strict=False):
            replica.command("CLUSTER", "REPLICATE", node_id(primary))
        made.until_settled()
        yield made


@contextlib.contextmanager
def cluster_url() -> Iterator[str]:
    with cluster() as nodes:
        yield nodes.url
