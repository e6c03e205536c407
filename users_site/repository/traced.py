"""The pipe with a span for each command; used only where this process traces."""

from collections.abc import Sequence
from typing import Any

from common.observability import tracing
from packages.redis_pipe import Pipe, Script, Word


class TracedPipe(Pipe):
    """Each command within a span of the request that issued it. Raises as Pipe does."""

    async def execute(  # type: ignore[override]
        self, operation: str, *words: Word, timeout: float | None = None
    ) -> Any:
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
        with tracing.store_span(operation, str(script.by_hash()[0])):
            return await super().run(operation, script, keys, args, timeout)
