"""Who takes the writes now, where that may change: behind Sentinel, or in a cluster."""

import asyncio
from abc import ABC, abstractmethod
from typing import Any, NamedTuple, Self

from redis.asyncio import Redis

Node = tuple[str, int]

WATCH_SECONDS = 0.5  # between two questions while connected


class Primary(NamedTuple):
    """A server that takes writes; its `id` is the same under whichever of its names it was found."""

    id: str
    node: Node


class Discovery(ABC):
    """Those who know, asked all at once: one that is cut off from the others may be wrong."""

    def __init__(self, clients: list[Redis], timeout: float) -> None:
        self._clients = clients
        self._timeout = timeout

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(client.aclose() for client in self._clients), return_exceptions=True)

    @abstractmethod
    async def primary(self) -> Primary:
        """The primary by the newest election. Raises RedisError."""

    @abstractmethod
    async def _question(self, client: Redis) -> Any:
        """What one of them says. Raises RedisError."""

    async def _answers(self) -> list[Any]:
        """What each says, or in its place the error; who is silent costs `timeout` seconds and no more."""
        return await asyncio.gather(*map(self._answer, self._clients), return_exceptions=True)

    async def _answer(self, client: Redis) -> Any:
        async with asyncio.timeout(self._timeout):
            return await self._question(client)

    async def replaced(self, primary: Primary) -> None:
        """Return when another server has become the primary.

        The former one does not always hang up: after SENTINEL FAILOVER, or cut off from the others but not
        from us, it went on taking writes for 10 s, all of them lost.
        """
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                if (await self.primary()).id != primary.id:
                    return
            except Exception:  # noqa: S112 - an election, or nobody answers: what we have is better than nothing
                continue
