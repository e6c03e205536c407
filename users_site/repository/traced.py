"""The connection with a span for each command; takes the plain one's place only where this process traces."""

from collections.abc import Sequence
from typing import Any

from common.observability import tracing
from packages.redis_pipe.command import Script, Word
from packages.redis_pipe.connection import Connection


class TracedConnection(Connection):
    """Each command within a span of the request that it serves. Raises as Connection does."""

    async def execute(  # type: ignore[override]
        self, operation: str, *words: Word, timeout: float | None = None
    ) -> Any:
        """One command."""
        first = words[0]
        with tracing.store_span(operation, first.decode() if isinstance(first, bytes) else str(first)):
            return await super().execute(operation, *words, timeout=timeout)

    async def run(  # type: ignore[override]
        self,
        operation: str,
        script: Script,
        keys: Sequence[bytes | str],
        args: Sequence[Word],
        timeout: float | None = None,
    ) -> Any:
        """One script."""
        with tracing.store_span(operation, "EVALSHA"):
            return await super().run(operation, script, keys, args, timeout)
