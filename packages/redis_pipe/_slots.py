"""The primaries of a cluster's slots."""

import asyncio
from binascii import crc_hqx
from bisect import bisect_left
from collections.abc import Container, Sequence
from typing import Any, NamedTuple

from ._address import Node
from ._discovery import Connect, Discovery
from ._stream import Stream
from .errors import Reason

SLOTS = 16384
ASKED = 8  # nodes that are queried for the map, at most


class Claim(NamedTuple):
    """A range of slots that a primary holds, in one node's view, and all its names; the highest epoch is the newest."""

    first: int
    last: int
    epoch: int
    node: Node
    replicas: tuple[Node, ...]


class Slots(Discovery[list[Claim]]):
    """Queries the nodes of the address and those in their answers.

    A failover and a moved slot raise the *owner's* epoch, so the newest claim to each slot counts. The cluster's epoch
    would not do: it does not grow when a slot moves to the node that already has the highest one.
    """

    def __init__(self, nodes: tuple[Node, ...], connect: Connect, timeout: float) -> None:
        super().__init__(nodes, connect, timeout)
        self._seeds = nodes
        self.known: set[Node] = set()  # nodes that a redirection may name
        self._listed: set[Node] = set()

    async def owners(self, slots: Sequence[int], in_use: Container[Node] = ()) -> dict[int, Node]:
        """The primaries of these slots (in order); of a node with several names, the one that is in use. Slots that nobody
        holds are missing. Raises Unavailable, ErrorReply, OSError."""
        self._listed = set()
        views = await self._views()
        newest: dict[int, Claim] = {}
        for claim in (claim for view in views for claim in view):
            for slot in slots[bisect_left(slots, claim.first) : bisect_left(slots, claim.last + 1)]:
                best = newest.get(slot)
                if best is None or (claim.epoch, claim.node in in_use) > (best.epoch, best.node in in_use):
                    newest[slot] = claim
        self._learn(views)
        return {slot: claim.node for slot, claim in newest.items()}

    def _learn(self, views: list[list[Claim]]) -> None:
        claims = [claim for view in views for claim in view]
        primaries = dict.fromkeys(claim.node for claim in claims)
        self.known = {*primaries, *(node for claim in claims for node in claim.replicas), *self._listed}
        self._nodes = tuple(dict.fromkeys((*self._seeds[:ASKED], *primaries)))[: max(ASKED, len(self._seeds))]
        for node in self._streams.keys() - set(self._nodes):
            self._streams.pop(node).drop(Reason.CLOSED)

    async def _ask(self, stream: Stream, node: Node) -> list[Claim]:
        nodes, ranges = await asyncio.gather(stream.ask("CLUSTER", "NODES"), stream.ask("CLUSTER", "SLOTS"))
        lines = [line.split(" ", 7) for line in nodes.decode().splitlines()]
        # CLUSTER SLOTS has no node without slots, to which the first one may be on its way.
        self._listed.update(*(_addresses(words[1], node[0]) for words in lines))
        epochs = {words[0]: int(words[6]) for words in lines}
        return [
            Claim(first, last, epochs[owner[2].decode()], _name(owner, node[0]), _names(replicas, node[0]))
            for first, last, owner, *replicas in ranges
        ]

    def _failure(self, errors: list[BaseException]) -> BaseException:
        """A node's error has precedence over a failed connection."""
        return next((error for error in errors if not isinstance(error, OSError)), errors[0])


def slot_of(key: str) -> int:
    """The slot of a cluster that holds a key."""
    _, brace, rest = key.partition("{")
    tag, end, _ = rest.partition("}")
    return crc_hqx((tag if brace and end and tag else key).encode(), 0) % SLOTS


def redirected_to(text: str, asked: Node) -> Node | None:
    """The node in a redirection, `host:port`; without a host, the redirecting node."""
    host, _, port = text.rpartition(":")
    return (host or asked[0], int(port)) if port.isascii() and port.isdigit() and len(port) < 6 else None


def _addresses(text: str, asked: str) -> list[Node]:
    """Every form in which a redirection may name the node of an entry in CLUSTER NODES, `ip:port@bus,host name`."""
    address, _, rest = text.partition("@")
    ip, _, port = address.rpartition(":")
    return [(host, int(port)) for host in (ip, rest.partition(",")[2].partition(",")[0], asked) if host]


def _names(nodes: list[list[Any]], asked: str) -> tuple[Node, ...]:
    return tuple(_name(node, asked) for node in nodes)


def _name(node: list[Any], asked: str) -> Node:
    """From CLUSTER SLOTS: host, port, id, metadata. An empty host means the queried host; `?` means that a host name should
    be announced and is not."""
    host, port, _, *metadata = node
    if host == b"?":
        pairs = dict(zip(metadata[0][::2], metadata[0][1::2], strict=True)) if metadata else {}
        host = pairs.get(b"ip")
    return host.decode() if host else asked, int(port)
