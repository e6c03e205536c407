"""Writes that are acknowledged once they are as durable as required.

    memory       in the primary's memory: its reply is enough (no code of this module runs)
    fsync        on the primary's disk: WAITAOF 1 0
    replicated   in the memory of a replica too: WAIT 1

WAITAOF and WAIT block their connection, so writes have their own pipe and are sent in rounds: the writes issued during
a round form the next one, with one wait after them. A wait for each write would allow only as many writes a second as
there are syncs. A round is one batch on one connection: on another one, WAIT would return immediately.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import Context
from enum import StrEnum
from typing import Any
from weakref import WeakKeyDictionary

from ._cluster import RETRY_SECONDS, Place
from ._command import Script, Word, Words
from ._connection import Connection
from ._pipe import Pipe
from .errors import NotDurable, PipeError, Reason, Refused, Unavailable

logger = logging.getLogger(__name__)

WAIT_SECONDS = 1.3
"""Maximum wait of a round: `appendfsync everysec` syncs once a second."""

WRITE_SECONDS = 2.0
"""From a write's issue to its acknowledgement, the wait for the round before it included."""

ROUND_WRITES = 1000

REDIRECTED = (Reason.MOVED, Reason.TRYAGAIN)
"""Replies of a cluster's node that did not execute the write."""


_Sent = asyncio.Future[tuple[asyncio.Future[Any], asyncio.Future[bool]]]
"""The result of a sent write: its reply, and whether its round became durable."""


class Durability(StrEnum):
    MEMORY = "memory"
    FSYNC = "fsync"
    REPLICATED = "replicated"


class DurableWrites:
    """Runs scripts that write. `has_written` decides from an answer whether anything must become durable; other answers
    are returned immediately. In a cluster, each primary has its own rounds; a redirected write joins a round of another
    primary."""

    def __init__(self, pipe: Pipe | Place, durability: Durability, has_written: Callable[[Any], bool]) -> None:
        self._pipe, self._durability, self._has_written = pipe, durability, has_written
        self._rounds: WeakKeyDictionary[Pipe, _Rounds] = WeakKeyDictionary()

    async def run(self, script: Script, keys: Sequence[bytes | str], args: Sequence[Word]) -> Any:
        """The script's answer, once what it wrote is durable. Raises Unavailable, Refused, NotDurable."""
        # Whole: a script that is sent again after NOSCRIPT would run behind the wait.
        words = script.whole(keys, args)
        sent: _Sent | None = None
        is_written = False
        try:
            async with asyncio.timeout(self._pipe.options.time_left(WRITE_SECONDS)):
                while True:
                    pipe = await self._pipe.owner(str(keys[0]))
                    sent = self._rounds_of(pipe).join(pipe, script.name, words)
                    reply, is_durable = await sent
                    try:
                        outcome = await asyncio.shield(reply)
                    except Unavailable as error:
                        if error.uncertain or error.reason not in REDIRECTED:
                            raise
                        sent = None
                        await asyncio.sleep(RETRY_SECONDS)
                        continue
                    if not self._has_written(outcome):
                        return outcome
                    is_written = True
                    if await asyncio.shield(is_durable):
                        return outcome
                    raise NotDurable
        except TimeoutError:
            if is_written:
                raise NotDurable from None
            raise Unavailable(Reason.TIMEOUT, uncertain=sent is not None and not sent.cancelled()) from None

    async def probe(self, connection: Connection) -> None:
        """Return if the server supports the wait; `connection`: another one. Raises Unavailable, and Refused, which it
        logs."""
        words = _wait_words(self._durability, 1)
        try:
            await connection.execute("probe", *words)
        except Refused:
            logger.error(
                "DURABILITY=%s needs %s, which this server refuses: use a primary of Redis 7.2 or Valkey 7.2 with appendonly "
                "yes, or set DURABILITY=memory",
                self._durability,
                words[0],
            )
            raise

    async def close(self) -> None:
        for rounds in self._rounds.values():
            rounds.end()
        await self._pipe.close()

    def _rounds_of(self, pipe: Pipe) -> "_Rounds":
        if pipe not in self._rounds:
            self._rounds[pipe] = _Rounds(self._durability)
        return self._rounds[pipe]


class _Rounds:
    def __init__(self, durability: Durability) -> None:
        self._durability = durability
        self._queue: deque[tuple[str, Words, _Sent]] = deque()
        self._task: asyncio.Task[None] | None = None

    def join(self, pipe: Pipe, operation: str, words: Words) -> _Sent:
        """Put a write into the next round. Raises Unavailable."""
        if len(self._queue) >= pipe.options.max_waiting:
            raise Unavailable(Reason.QUEUE_FULL)
        loop = asyncio.get_running_loop()
        sent: _Sent = loop.create_future()
        self._queue.append((operation, words, sent))
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._run(pipe), context=Context())
        return sent

    def end(self) -> None:
        """Fail the writes that are in no round yet."""
        for _, _, sent in self._queue:
            if not sent.done():
                sent.set_exception(Unavailable(Reason.CLOSED))
        self._queue.clear()

    async def _run(self, pipe: Pipe) -> None:
        await asyncio.sleep(0)  # everything issued in this tick of the loop is one round
        while self._queue:
            writes = [self._queue.popleft() for _ in range(min(len(self._queue), ROUND_WRITES))]
            await self._round(pipe, [write for write in writes if not write[2].done()])

    async def _round(self, pipe: Pipe, writes: list[tuple[str, Words, _Sent]]) -> None:
        if not writes:
            return
        timeout = pipe.options.timeout
        words = _wait_words(self._durability, int(WAIT_SECONDS * 1000))
        *replies, waited = pipe.batch(
            [
                *((operation, words, timeout) for operation, words, _ in writes),
                ("wait", words, timeout + WAIT_SECONDS),
            ]
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


def _wait_words(durability: Durability, milliseconds: int) -> Words:
    return ("WAITAOF", 1, 0, milliseconds) if durability is Durability.FSYNC else ("WAIT", 1, milliseconds)
