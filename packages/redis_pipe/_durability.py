"""Writes that are acknowledged once they are as durable as required.

    memory       in the primary's memory: its reply is enough (no code of this module runs)
    fsync        on the primary's disk: WAITAOF 1 0
    replicated   in the memory of a replica too: WAIT 1

WAITAOF and WAIT block their connection, so writes use a pipe of their own and go in rounds: all writes issued during a
round leave together after it, with one wait behind them. A wait for each write would allow only as many writes a second
as there are syncs. A round is one batch of one connection: over another one, WAIT would return at once.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import Context
from enum import StrEnum
from typing import Any

from ._command import Script, Word
from ._pipe import Pipe
from .errors import NotDurable, PipeError, Reason, Refused, Unavailable

logger = logging.getLogger(__name__)

WAIT_SECONDS = 1.3
"""How long a round waits: `appendfsync everysec` syncs once a second."""

WRITE_SECONDS = 2.0
"""From a write's issue to its acknowledgement, the wait for the round before it included."""

ROUND_WRITES = 1000


_Sent = asyncio.Future[tuple[asyncio.Future[Any], asyncio.Future[bool]]]
"""Done when a write is sent: its reply, and whether its round became durable."""


class Durability(StrEnum):
    """The durability of a write."""

    MEMORY = "memory"
    FSYNC = "fsync"
    REPLICATED = "replicated"


class DurableWrites:
    """Runs scripts that write. `has_written` decides from an answer whether anything must become durable; other answers are
    returned immediately. `time_left` shortens a wait to the caller's remaining time."""

    def __init__(
        self,
        pipe: Pipe,
        durability: Durability,
        *,
        timeout: float,
        has_written: Callable[[Any], bool],
        time_left: Callable[[float], float] = float,
    ) -> None:
        self._pipe = pipe
        self._durability = durability
        self._timeout = timeout
        self._has_written = has_written
        self._time_left = time_left
        self._queue: deque[tuple[str, tuple[Word, ...], _Sent]] = deque()
        self._rounds: asyncio.Task[None] | None = None

    async def run(self, operation: str, script: Script, keys: Sequence[bytes | str], args: Sequence[Word]) -> Any:
        """The script's answer, once what it wrote is durable. Raises Unavailable, Refused, NotDurable."""
        loop, is_written = asyncio.get_running_loop(), False
        sent: _Sent = loop.create_future()
        # Whole: a script that is sent again after NOSCRIPT would run behind the wait.
        self._queue.append((operation, script.whole(len(keys), *keys, *args), sent))
        if self._rounds is None or self._rounds.done():
            self._rounds = loop.create_task(self._run_rounds(), context=Context())
        try:
            async with asyncio.timeout(self._time_left(WRITE_SECONDS)):
                reply, is_durable = await sent
                outcome = await asyncio.shield(reply)
                if not self._has_written(outcome):
                    return outcome
                is_written = True
                if await asyncio.shield(is_durable):
                    return outcome
                raise NotDurable
        except TimeoutError:
            if is_written:
                raise NotDurable from None
            raise Unavailable(Reason.TIMEOUT, uncertain=not sent.cancelled()) from None

    async def probe(self, pipe: Pipe) -> None:
        """Return if the server has the command to wait; `pipe`: another one. Raises Unavailable, and Refused, which it logs."""
        words = self._wait_words(1)
        try:
            await pipe.execute("probe", *words)
        except Refused:
            logger.error(
                "DURABILITY=%s needs %s, which this server refuses: use a primary of Redis 7.2 or Valkey 7.2 with appendonly "
                "yes, or set DURABILITY=memory",
                self._durability,
                words[0],
            )
            raise

    async def close(self) -> None:
        """Close the pipe."""
        await self._pipe.close()

    def _wait_words(self, milliseconds: int) -> tuple[Word, ...]:
        return ("WAITAOF", 1, 0, milliseconds) if self._durability is Durability.FSYNC else ("WAIT", 1, milliseconds)

    async def _run_rounds(self) -> None:
        await asyncio.sleep(0)  # everything that this tick of the loop issues goes together
        while self._queue:
            writes = [self._queue.popleft() for _ in range(min(len(self._queue), ROUND_WRITES))]
            await self._round([write for write in writes if not write[2].done()])

    async def _round(self, writes: list[tuple[str, tuple[Word, ...], _Sent]]) -> None:
        if not writes:
            return
        wait = ("wait", self._wait_words(int(WAIT_SECONDS * 1000)), self._timeout + WAIT_SECONDS)
        *replies, waited = self._pipe.batch(
            [*((operation, words, self._timeout) for operation, words, _ in writes), wait]
        )
        is_durable: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        for (_, _, sent), reply in zip(writes, replies, strict=True):
            reply.add_done_callback(asyncio.Future.exception)  # retrieved, even if its caller gave up
            sent.set_result((reply, is_durable))
        try:
            reached = await waited
        except PipeError:
            reached = 0
        is_durable.set_result((reached[0] if isinstance(reached, list) else reached) >= 1)
