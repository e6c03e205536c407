"""Writes that are acknowledged once they are as durable as asked.

    memory       in the primary's memory: its reply is all (no code of this module runs)
    fsync        on the primary's disk: WAITAOF 1 0
    replicated   in the memory of a replica too: WAIT 1

WAITAOF and WAIT hold up their connection, so writes have a pipe of their own, and go in rounds: all writes issued during a
round leave together after it, with one wait behind them. A wait for each write would allow as many writes a second as
there are syncs. A round is one batch of one connection: over another one, WAIT would return at once.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import Context
from enum import StrEnum
from functools import partial
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


class Durability(StrEnum):
    """What a write must have reached."""

    MEMORY = "memory"
    FSYNC = "fsync"
    REPLICATED = "replicated"


class DurableWrites:
    """Runs scripts that write. `has_written` says of an answer whether anything must become durable: any other answer
    is given at once. `time_left` shortens a wait to what the caller has left."""

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
        self._queue: deque[_Write] = deque()
        self._rounds: asyncio.Task[None] | None = None

    async def run(self, operation: str, script: Script, keys: Sequence[bytes | str], args: Sequence[Word]) -> Any:
        """The script's answer, once what it wrote is durable. Raises Unavailable, Refused, NotDurable."""
        # Whole: a script that is sent again after NOSCRIPT would run behind the wait.
        write = _Write(operation, script.whole(len(keys), *keys, *args), asyncio.get_running_loop().create_future())
        self._queue.append(write)
        if self._rounds is None or self._rounds.done():
            self._rounds = asyncio.get_running_loop().create_task(self._run_rounds(), context=Context())
        try:
            async with asyncio.timeout(self._time_left(WRITE_SECONDS)):
                return await write.done
        except TimeoutError:
            if write.is_written:
                raise NotDurable from None
            raise Unavailable(Reason.TIMEOUT, uncertain=write.is_sent) from None

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
            await self._round([write for write in writes if not write.done.done()])

    async def _round(self, writes: list["_Write"]) -> None:
        if not writes:
            return
        for write in writes:
            write.is_sent = True
        wait = ("wait", self._wait_words(int(WAIT_SECONDS * 1000)), self._timeout + WAIT_SECONDS)
        *replies, waited = self._pipe.batch(
            [*((write.operation, write.words, self._timeout) for write in writes), wait]
        )
        for write, reply in zip(writes, replies, strict=True):
            reply.add_done_callback(partial(write.replied, self._has_written))
        try:
            reached = await waited
        except PipeError:
            reached = 0
        local = reached[0] if isinstance(reached, list) else reached
        for write in writes:
            write.settle(is_durable=local >= 1)


class _Write:
    """One script on its way."""

    def __init__(self, operation: str, words: tuple[Word, ...], done: asyncio.Future[Any]) -> None:
        self.operation, self.words, self.done = operation, words, done
        self.is_sent = self.is_written = False
        self.outcome: Any = None

    def replied(self, has_written: Callable[[Any], bool], reply: asyncio.Future[Any]) -> None:
        error = reply.exception()
        outcome = None if error else reply.result()
        if self.done.done():
            return
        if error:
            self.done.set_exception(error)
        elif has_written(outcome):
            self.is_written, self.outcome = True, outcome
        else:
            self.done.set_result(outcome)

    def settle(self, *, is_durable: bool) -> None:
        if self.done.done():
            return
        if is_durable:
            self.done.set_result(self.outcome)
        else:
            self.done.set_exception(NotDurable())
