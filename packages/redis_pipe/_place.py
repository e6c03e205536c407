"""One slot of a cluster."""

import asyncio
from typing import TYPE_CHECKING, Any

from ._command import Script, Words
from ._connection import Connection
from ._pipe import Pipe
from .errors import Reason, Unavailable

if TYPE_CHECKING:
    from ._cluster import Cluster


class Place(Connection):
    """One slot, whatever its owner; gives access to the other slots."""

    def __init__(self, cluster: "Cluster", slot: int) -> None:
        self.cluster, self.options, self.slot = cluster, cluster.options, slot
        self.pipe: Pipe | None = None
        self.down: Reason | None = None  # why there is no pipe

    def at(self, key: str) -> "Place":
        return self.cluster.at(key)

    async def owner(self, key: str) -> Pipe:
        """The pipe to the owner of a key's slot; waits until it is known. Raises Unavailable."""
        place = self.at(key)
        while place.pipe is None:
            if place.down is not None:
                raise Unavailable(place.down)
            await self.cluster.look()
        return place.pipe

    async def close(self) -> None:
        await self.cluster.close()

    def issue(self, operation: str, words: Words, script: Script | None, timeout: float | None) -> asyncio.Future[Any]:
        command = self.options.command(operation, words, script, timeout)
        command.place = self
        (self.pipe or self.cluster).take(command)
        return command.future
