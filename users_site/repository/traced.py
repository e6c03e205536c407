"""The connection with a span for each command; used only if tracing is on."""

from typing import Any

from common.observability import tracing
from packages.redis_pipe import Connection, Script, Words


class Traced(Connection):
    """Each command within a span of the request that issued it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def at(self, key: str) -> "Traced":
        return Traced(self._connection.at(key))

    async def issue(self, operation: str, words: Words, script: Script | None, timeout: float | None) -> Any:
        first = words[0]
        with tracing.store_span(operation, first.decode() if isinstance(first, bytes) else str(first)):
            return await self._connection.issue(operation, words, script, timeout)

    async def close(self) -> None:
        await self._connection.close()
