"""The connection with a span for each command; used only where this process traces."""

from collections.abc import Sequence
from typing import Any

from common.observability import tracing
from packages.redis_pipe import Connection, Script, Word


class Traced:
    """Each command within a span of the request that issued it. Raises as the connection does."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.max_waiting = connection.max_waiting
        self.close = connection.close

    def at(self, key: str) -> "Traced":
        """The connection to the server that holds a key."""
        return Traced(self._connection.at(key))

    async def execute(self, operation: str, *words: Word, timeout: float | None = None) -> Any:
        """As the connection."""
        first = words[0]
        with tracing.store_span(operation, first.decode() if isinstance(first, bytes) else str(first)):
            return await self._connection.execute(operation, *words, timeout=timeout)

    async def run(
        self,
        operation: str,
        script: Script,
        keys: Sequence[bytes | str],
        args: Sequence[Word],
        timeout: float | None = None,
    ) -> Any:
        """As the connection."""
        with tracing.store_span(operation, str(script.by_hash()[0])):
            return await self._connection.run(operation, script, keys, args, timeout)
