"""Which server is the primary, as the sentinels say now."""

import asyncio
from typing import Any

from redis.asyncio import Sentinel
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.sentinel import MasterNotFoundError

Node = tuple[str, int]

WATCH_SECONDS = 0.5  # between two questions while connected


class Sentinels:
    """The sentinels of one event loop, asked all at once: one that is cut off from the others may be wrong."""

    def __init__(self, nodes: tuple[Node, ...], service: str, login: dict[str, Any]) -> None:
        self._service = service
        self._redis = Sentinel(nodes, sentinel_kwargs=login)  # type: ignore[no-untyped-call]

    async def __aenter__(self) -> "Sentinels":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._redis.aclose()

    async def primary(self) -> Node:
        """The live primary of the newest election. Raises MasterNotFoundError."""
        questions = (client.sentinel_master(self._service) for client in self._redis.sentinels)
        answers = await asyncio.gather(*questions, return_exceptions=True)
        states = [state for state in answers if isinstance(state, dict)]
        alive = [state for state in states if state["is_master"] and not state["is_sdown"] and not state["is_odown"]]
        if not alive:
            raise MasterNotFoundError(f"of {len(answers)} sentinels {len(states)} answered, none with a live primary")
        newest = max(alive, key=lambda state: int(state.get("config-epoch", 0)))
        return newest["ip"], newest["port"]

    async def replaced(self, primary: Node) -> None:
        """Return when another server has become the primary.

        The former one does not always hang up: after SENTINEL FAILOVER, or cut off from the sentinels but not
        from us, it went on taking writes for 10 s, all of them lost.
        """
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                if await self.primary() != primary:
                    return
            except MasterNotFoundError:
                continue  # an election, or no sentinel: what we have is better than nothing


async def require_primary(connection: AbstractConnection) -> None:
    """Raise MasterNotFoundError for a replica, which a sentinel names that has not heard of a failover yet."""
    await connection.send_command("HELLO", 2)  # not ROLE: an ACL without @dangerous forbids it
    fields = await connection.read_response()
    if dict(zip(fields[::2], fields[1::2], strict=True)).get(b"role") != b"master":
        await connection.disconnect(nowait=True)
        raise MasterNotFoundError("the server that the sentinels named is no primary")
