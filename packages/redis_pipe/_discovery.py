"""The current primary, where it may change: behind Sentinel, or in a cluster."""

import asyncio
from abc import ABC, abstractmethod
from binascii import crc_hqx
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Self

from ._address import Node
from ._stream import Stream
from .errors import ErrorReply, Reason, Unavailable

Connect = Callable[[Node], Awaitable[Stream]]

WATCH_SECONDS = 0.5  # between two questions while connected
SLOTS = 16384


class Primary(NamedTuple):
    """A server that takes writes; its `id` is the same under each of its names."""

    id: str
    node: Node


class View(NamedTuple):
    """One node's answer; the highest epoch is the newest."""

    epoch: int
    primary: Primary


class Discovery(ABC):
    """Queries all sentinels or nodes and takes the newest answer: a node that is cut off from the others may be wrong."""

    def __init__(self, nodes: tuple[Node, ...], connect: Connect, timeout: float) -> None:
        self._nodes, self._connect, self._timeout = nodes, connect, timeout
        self._streams: dict[Node, Stream] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for stream in self._streams.values():
            stream.drop(Reason.CLOSED)
        if self._streams:
            await asyncio.wait([stream.closed for stream in self._streams.values()], timeout=1)

    async def primary(self) -> Primary:
        """The primary of the newest view. Raises Unavailable, ErrorReply, OSError."""
        answers = await asyncio.gather(*map(self._view, self._nodes), return_exceptions=True)
        views = [answer for answer in answers if isinstance(answer, View)]
        if not views:
            raise self._failure([answer for answer in answers if isinstance(answer, BaseException)])
        return max(views, key=lambda view: view.epoch).primary

    async def replaced(self, primary: Primary) -> None:
        """Return when another server has become the primary.

        The former one does not always hang up: after SENTINEL FAILOVER, or cut off from the others but not from us, it
        continued to accept writes for 10 s, all of them lost.
        """
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                if (await self.primary()).id != primary.id:
                    return
            except Exception:  # noqa: S112 - during an election, or without answers, the connection is kept
                continue

    async def _view(self, node: Node) -> View:
        """One node's view, within `timeout` seconds."""
        stream = self._streams.get(node)
        try:
            async with asyncio.timeout(self._timeout):
                if stream is None or stream.is_lost:
                    stream = self._streams[node] = await self._connect(node)
                return await self._ask(stream, node)
        except (ErrorReply, Unavailable):
            raise
        except (OSError, asyncio.CancelledError):  # before ValueError, which a certificate's error is too
            if stream is not None:
                stream.drop(Reason.CLOSED)  # a late reply would be taken for the next one
            raise
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise Unavailable(Reason.PROTOCOL) from error

    @abstractmethod
    async def _ask(self, stream: Stream, node: Node) -> View:
        """One node's view. Raises Unavailable, ErrorReply, OSError, and what malformed replies make Python raise."""

    @abstractmethod
    def _failure(self, errors: list[BaseException]) -> BaseException:
        """One error for the errors of all nodes."""


class Sentinels(Discovery):
    """Sentinel, where `service` is the primary's name."""

    def __init__(self, nodes: tuple[Node, ...], connect: Connect, timeout: float, service: str) -> None:
        super().__init__(nodes, connect, timeout)
        self._service = service

    async def _ask(self, stream: Stream, node: Node) -> View:
        reply = [word.decode() for word in await stream.ask("SENTINEL", "MASTER", self._service)]
        state = dict(zip(reply[::2], reply[1::2], strict=True))
        if {"s_down", "o_down"} & set(flags := state["flags"].split(",")) or "master" not in flags:
            raise Unavailable(Reason.NO_PRIMARY)
        host, port = state["ip"], int(state["port"])
        return View(int(state.get("config-epoch", 0)), Primary(f"{host}:{port}", (host, port)))

    def _failure(self, errors: list[BaseException]) -> BaseException:
        return Unavailable(Reason.NO_PRIMARY)


class Cluster(Discovery):
    """A Redis Cluster, of which one slot is used: one node at a time takes all commands.

    The owner changes by a failover or because the slot is moved; both raise the cluster's epoch.
    """

    def __init__(self, nodes: tuple[Node, ...], connect: Connect, timeout: float, slot: int) -> None:
        super().__init__(nodes, connect, timeout)
        self._slot = slot

    async def _ask(self, stream: Stream, node: Node) -> View:
        info, ranges = await asyncio.gather(stream.ask("CLUSTER", "INFO"), stream.ask("CLUSTER", "SLOTS"))
        state = dict(line.split(":", 1) for line in info.decode().split("\r\n") if ":" in line)
        if state["cluster_state"] != "ok":  # cut off from the others, or a slot has no owner
            raise Unavailable(Reason.CLUSTERDOWN)
        return View(int(state["cluster_current_epoch"]), self._owner(ranges, node[0]))

    def _owner(self, ranges: list[Any], asked: str) -> Primary:
        """From the reply to CLUSTER SLOTS: first and last slot, then owner and replicas: host, port, id, metadata."""
        for first, last, (host, port, node_id, *metadata), *_ in ranges:
            if first <= self._slot <= last:
                return Primary(node_id.decode(), (_host(host, metadata, asked), int(port)))
        raise Unavailable(Reason.CLUSTERDOWN)

    def _failure(self, errors: list[BaseException]) -> BaseException:
        """A node's own error before a failed connection."""
        return next((error for error in errors if isinstance(error, (ErrorReply, Unavailable))), errors[0])


def slot_of(key: str) -> int:
    """The slot of a cluster that holds a key."""
    _, brace, rest = key.partition("{")
    tag, end, _ = rest.partition("}")
    return crc_hqx((tag if brace and end and tag else key).encode(), 0) % SLOTS


def _host(endpoint: bytes | None, metadata: list[list[bytes]], asked: str) -> str:
    """The host to connect to: an empty one means the queried host; `?` means that a host name should be announced and is
    not."""
    if endpoint == b"?":
        pairs = dict(zip(metadata[0][::2], metadata[0][1::2], strict=True)) if metadata else {}
        endpoint = pairs.get(b"ip")
    return endpoint.decode() if endpoint else asked
