"""Which server is the primary, as the sentinels say now."""

from typing import Any

from redis.asyncio import Redis, Sentinel
from redis.asyncio.sentinel import MasterNotFoundError

from packages.redis_pipe.discovery import Discovery, Node, Primary


class Sentinels(Discovery):
    """The sentinels of one event loop; `service` is the name by which they know the primary."""

    def __init__(self, nodes: tuple[Node, ...], service: str, login: dict[str, Any], timeout: float) -> None:
        self._service = service
        sentinel = Sentinel(nodes, sentinel_kwargs=login)  # type: ignore[no-untyped-call]
        super().__init__(sentinel.sentinels, timeout)

    async def primary(self) -> Primary:
        """The live primary of the newest election. Raises MasterNotFoundError."""
        answers = await self._answers()
        states = [state for state in answers if isinstance(state, dict)]
        alive = [state for state in states if state["is_master"] and not state["is_sdown"] and not state["is_odown"]]
        if not alive:
            raise MasterNotFoundError(f"of {len(answers)} sentinels {len(states)} answered, none with a live primary")
        newest = max(alive, key=lambda state: int(state.get("config-epoch", 0)))
        return Primary(f"{newest['ip']}:{newest['port']}", (newest["ip"], newest["port"]))

    async def _question(self, client: Redis) -> Any:
        return await client.sentinel_master(self._service)
