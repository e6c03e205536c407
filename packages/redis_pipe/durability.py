"""Writes that are acknowledged once they are as durable as `DURABILITY` asks for.

    memory       in the primary's memory: its reply is all (no code of this module runs)
    fsync        on the primary's disk: WAITAOF 1 0
    replicated   in the memory of a replica too: WAIT 1

WAITAOF and WAIT hold up their connection, so writes have one of their own, and go in rounds: all that came while a round
waited leave together, with one wait behind them. Each on its own would make as many writes a second as there are syncs.
A round is one batch of one connection: asked over another one, WAIT knows nothing of these writes and says yes at once.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import Context
from enum import StrEnum
from functools import partial
from typing import Any

from packages.redis_pipe.command import Script, Word
from packages.redis_pipe.connection import Connection
from users_site.repository.errors import NotDurable, Reason, StoreError, StoreUnavailable

logger = logging.getLogger(__name__)

WAIT_SECONDS = 1.3
"""How long a round waits: `appendfsync everysec` syncs once a second."""

WRITE_SECONDS = 2.0
"""From a write's issue to its acknowledgement, the wait for the round before it included."""

ROUND_WRITES = 1000

WRITTEN = frozenset((b"created", b"replayed", b"replayed-taken", b"replaced", b"deleted"))
"""The answers of scripts behind which stands something that must not be lost; any other is given at once."""


class Durability(StrEnum):
    """What a write must have reached."""

    MEMORY = "memory"
    FSYNC = "fsync"
    REPLICATED = "replicated"


class DurableWrites:
    """Runs the scripts that write. `time_left` shortens a wait to what the caller has left."""

    def __init__(
        self,
        connection: Connection,
        durability: Durability,
        *,
        timeout: float,
        time_left: Callable[[float], float] = float,
    ) -> None:
        self.connection = connection
        self._durability = durability
        self._timeout = timeout
        self._time_left = time_left
        self._queue: deque[_Write] = deque()
        self._rounds: asyncio.Task[None] | None = None

    async def run(self, operation: str, script: Script, keys: Sequence[bytes | str], args: Sequence[Word]) -> Any:
        """The script's answer, once what it wrote is durable. Raises StoreUnavailable, StoreError, NotDurable."""
        # Whole, not by its hash: a script that has to be sent again would run behind the wait.
        words = (b"EVAL", script.source, len(keys), *keys, *args)
        write = _Write(operation, words, asyncio.get_running_loop().create_future())
        self._queue.append(write)
        if self._rounds is None or self._rounds.done():
            self._rounds = asyncio.get_running_loop().create_task(self._run_rounds(), context=Context())
        try:
            async with asyncio.timeout(self._time_left(WRITE_SECONDS)):
                return await write.done
        except TimeoutError:
            raise write.given_up() from None

    async def probe(self, connection: Connection) -> None:
        """Return if the server knows how to wait; `connection`: one that does not. Raises StoreUnavailable, and
        StoreError, which it logs with the cure."""
        words = self._wait_words(1)
        try:
            await connection.execute("probe", *words)
        except StoreError:
            logger.error(
                "DURABILITY=%s needs %s, which this server refuses: use a primary of Redis 7.2 or Valkey 7.2 with appendonly "
                "yes, or set DURABILITY=memory",
                self._durability,
                words[0],
            )
            raise

    async def close(self) -> None:
        """Lets go of the connection."""
        await self.connection.close()

    def _wait_words(self, milliseconds: int) -> tuple[Word, ...]:
        return ("WAITAOF", 1, 0, milliseconds) if self._durability is Durability.FSYNC else ("WAIT", 1, milliseconds)

    async def _run_rounds(self) -> None:
        await asyncio.sleep(0)  # all that this tick of the loop issues goes together
        while self._queue:
            writes = [self._queue.popleft() for _ in range(min(len(self._queue), ROUND_WRITES))]
            await self._round([write for write in writes if not write.done.done()])

    async def _round(self, writes: list["_Write"]) -> None:
        if not writes:
            return
        for write in writes:
            write.is_sent = True
        wait = ("wait", self._wait_words(int(WAIT_SECONDS * 1000)), self._timeout + WAIT_SECONDS)
        *replies, waited = self.connection.batch(
            [*((write.operation, write.words, self._timeout) for write in writes), wait]
        )
        for write, reply in zip(writes, replies, strict=True):
            reply.add_done_callback(partial(write.replied))
        try:
            reached = await waited
        except (StoreUnavailable, StoreError):
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

    def replied(self, reply: asyncio.Future[Any]) -> None:
        error = reply.exception()
        outcome = None if error else reply.result()
        if self.done.done():
            return
        if error:
            self.done.set_exception(error)
        elif (outcome[0] if isinstance(outcome, list) else outcome) in WRITTEN:
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

    def given_up(self) -> Exception:
        """What the caller is told whose time is up."""
        return NotDurable() if self.is_written else StoreUnavailable(Reason.TIMEOUT, uncertain=self.is_sent)
