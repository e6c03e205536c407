"""A real Valkey cluster for tests: three primaries, and a replica of the one that owns the users' slot."""

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import redis
from redis.crc import key_slot

from tools.processes.service import free_port
from tools.processes.valkey import START_SECONDS, Valkey, valkey

SLOT = key_slot(b"{users:0}")
RANGES = ((0, 5460), (5461, 10922), (10923, 16383))
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

    def __init__(self, nodes: list[Valkey]) -> None:
        self.all = nodes

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
        """The owner's replica."""
        return next(node for node in self.all if node.client().role()[0] == b"slave")

    def another(self) -> Valkey:
        """A primary that does not own the slot."""
        return next(node for node in self.all if node not in {self.owner, self.replica})

    def move_slot(self, target: Valkey, slot: int = SLOT) -> None:
        """Moves the slot, all keys at once."""
        owner = next(node for node in self.all if self.serves(node, slot))
        owner.command("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", node_id(target))
        until(lambda: self.serves(target, slot))

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

    def until_settled(self) -> None:
        """Waits until every node sees the whole cluster and the same owner."""
        until(lambda: len({self._view(node) for node in self.all}) == 1 and self._is_whole())

    def _view(self, node: Valkey) -> Any:
        slots = node.command("CLUSTER", "SLOTS")
        return next((owner[2] for first, last, owner, *_ in slots if first <= SLOT <= last), None)

    def _is_whole(self) -> bool:
        infos = [node.command("CLUSTER", "INFO") for node in self.all]
        return (
            all(b"cluster_state:ok" in info and b"cluster_known_nodes:4" in info for info in infos)
            and self.replica.client().info("replication")["master_link_status"] == "up"
        )


def node_id(node: Valkey) -> str:
    return str(node.command("CLUSTER", "MYID").decode())


def url_of(*ports: int) -> str:
    return "redis+cluster://:p%40ss%2Fword%3A1@" + ",".join(f"127.0.0.1:{port}" for port in ports)


def until(condition: Any, seconds: float = START_SECONDS) -> None:
    """Waits for the condition; a server that does not answer yet counts as not ready."""
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(redis.RedisError, StopIteration):
            if condition():
                return
        assert time.monotonic() < end, "the cluster does not settle"
        time.sleep(0.02)


@contextlib.contextmanager
def cluster(*settings: str) -> Iterator[Nodes]:
    """A running cluster; `settings`: more lines of valkey.conf."""
    with contextlib.ExitStack() as stack:
        nodes = [stack.enter_context(valkey(*SETTINGS, *settings, f"cluster-port {free_port()}")) for _ in range(4)]
        made = Nodes(nodes)
        for epoch, (primary, slots) in enumerate(zip(nodes, RANGES, strict=False), start=1):
            primary.command("CLUSTER", "ADDSLOTSRANGE", *slots)
            primary.command("CLUSTER", "SET-CONFIG-EPOCH", epoch)
        for other in nodes[1:]:
            bus = int(str(other.client().config_get("cluster-port")["cluster-port"]))
            nodes[0].command("CLUSTER", "MEET", "127.0.0.1", other.port, bus)
        until(lambda: all(b"cluster_known_nodes:4" in node.command("CLUSTER", "INFO") for node in nodes))
        nodes[-1].command("CLUSTER", "REPLICATE", node_id(made.owner))
        made.until_settled()
        yield made


@contextlib.contextmanager
def cluster_url() -> Iterator[str]:
    """The URL of a running cluster."""
    with cluster() as nodes:
        yield nodes.url
