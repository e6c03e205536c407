"""Finds the current primary: queries to several nodes, and Sentinel."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Generic, NamedTuple, Self, TypeVar

from ._address import Node
from ._stream import Stream
from .errors import ErrorReply, Reason, Unavailable

Connect = Callable[[Node], Awaitable[Stream]]

View = TypeVar("View")

WATCH_SECONDS = 0.5  # between two questions while connected


class Primary(NamedTuple):
    """The primary in one sentinel's view; the highest epoch is the newest."""

    epoch: int
    node: Node


class Discovery(ABC, Generic[View]):
    """Queries several sentinels or nodes, because one that is cut off from the others may be wrong."""

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

    async def _views(self) -> list[View]:
        """The views of all that answer. Raises Unavailable, ErrorReply, OSError."""
        answers = await asyncio.gather(*map(self._view, self._nodes), return_exceptions=True)
        views = [answer for answer in answers if not isinstance(answer, BaseException)]
        if not views:
            raise self._failure([answer for answer in answers if isinstance(answer, BaseException)])
        return views

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


class Sentinels(Discovery[Primary]):
    """Sentinel, where `service` is the primary's name."""

    def __init__(self, nodes: tuple[Node, ...], connect: Connect, timeout: float, service: str) -> None:
        super().__init__(nodes, connect, timeout)
        self._service = service

    async def primary(self) -> Node:
        """The primary of the newest view. Raises Unavailable, ErrorReply, OSError."""
        return max(await self._views()).node

    async def replaced(self, primary: Node) -> None:
        """Return when another server has become the primary.

        The former one does not always close its connections: after SENTINEL FAILOVER, or cut off from the others but
        not from us, it accepted writes for 10 s, which were all lost.
        """
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                if await self.primary() != primary:
                    return
            except Exception:  # noqa: S112 - during an election, or without answers, the connection is kept
                continue

    async def _ask(self, stream: Stream, node: Node) -> Primary:
        reply = [word.decode() for word in await stream.ask("SENTINEL", "MASTER", self._service)]
        state = dict(zip(reply[::2], reply[1::2], strict=True))
        if {"s_down", "o_down"} & set(flags := state["flags"].split(",")) or "master" not in flags:
            raise Unavailable(Reason.NO_PRIMARY)
        return Primary(int(state.get("config-epoch", 0)), (state["ip"], int(state["port"])))

    def _failure(self, errors: list[BaseException]) -> BaseException:
        return Unavailable(Reason.NO_PRIMARY)
