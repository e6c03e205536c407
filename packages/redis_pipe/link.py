"""Keeps one connection to Redis open, or knows why there is none.

It connects at first use, at once when an open connection is lost, then with back-off and jitter. While Redis is
down commands fail at once, for the reason of the last attempt. Never are two attempts in flight.
"""

import asyncio
import random
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncGenerator, Coroutine, Iterable
from contextvars import Context
from time import monotonic
from typing import Any

from packages.redis_pipe.address import Address
from packages.redis_pipe.command import Command, Observe
from packages.redis_pipe.discovery import Primary
from packages.redis_pipe.opening import open_connection, replaced
from packages.redis_pipe.reasons import reason_of
from packages.redis_pipe.stream import Stream
from users_site.repository.errors import Reason, StoreUnavailable

BACKOFF_FIRST = 0.05  # seconds before the second attempt; doubles
BACKOFF_CAP = 0.5  # with a connect time-out of 0.5 s: a new primary within 1 s of its election, a server within 2 s
STABLE_AFTER = 1.0  # seconds; a connection lost sooner is a failed attempt, or a server that hangs up makes a storm


class Link(ABC):
    """The life of a connection; what goes over it is up to `flush` and `error_received`."""

    def __init__(self, address: Address, connect_timeout: float, observe: Observe | None) -> None:
        self._address = address
        self._connect_timeout = connect_timeout
        self._observe = observe
        self._context = Context()  # what the shared connection does belongs to no request
        self._loop: asyncio.AbstractEventLoop | None = None
        self._guard: AsyncGenerator[None, None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()  # that connect or watch, or have been told to end
        self._start()

    def _start(self) -> None:
        self._stream: Stream | None = None
        self._waiting: deque[Command] = deque()  # not written yet
        self._connecting: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None  # for another primary
        self._failures = 0
        self._down: Reason | None = None  # why commands fail at once, until an attempt succeeds
        self._reconnect: asyncio.TimerHandle | None = None

    def _reset(self) -> None:
        if self._reconnect is not None:
            self._reconnect.cancel()
        self._start()

    @abstractmethod
    def flush(self) -> None:
        """Write what waits, if it can be written now."""

    @abstractmethod
    def error_received(self, stream: Stream, command: Command, text: str, now: float) -> None:
        """Decide what an error reply means for its command."""

    @property
    def connected(self) -> bool:
        """Whether commands can be written now."""
        return self._stream is not None and not self._stream.retiring

    async def close(self) -> None:
        """Fail what waits and let go of the socket. The next command would connect again."""
        if self._loop is not asyncio.get_running_loop():
            return
        stream, waiting = self._stream, self._waiting
        self._reset()
        self._fail(waiting, Reason.CLOSED)
        for task in self._tasks:
            if not task.cancelling():  # a second time would break off how it lets go of its own connections
                task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks))
        if stream is not None:
            stream.drop(Reason.CLOSED)
            await asyncio.wait([stream.closed], timeout=1)

    def _adopt(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start anew in this loop; what belonged to a loop that has ended was closed with it."""
        if self._loop is not None and self._loop.is_running():
            raise RuntimeError("a Connection belongs to one event loop: close it there before using it in another")
        self._reset()
        self._tasks = set()
        self._loop = loop
        self._guard = None

    async def _close_with_loop(self) -> AsyncGenerator[None, None]:
        # asyncio.run() closes async generators before the loop: its one public hook for that moment.
        # A socket that outlives its loop warns, and under -W error uvloop's close() hangs on it.
        try:
            yield
        finally:
            await self.close()

    def _connect(self) -> None:
        if self._connecting is None and self._loop is not None:
            self._connecting = self._start_task(self._open(self._loop), self._loop)

    def _start_task(self, work: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop) -> asyncio.Task[None]:
        task = loop.create_task(work, context=self._context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _open(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._guard is None:
            self._guard = self._close_with_loop()
            await anext(self._guard)
        try:
            async with asyncio.timeout(self._connect_timeout):
                opened = await open_connection(self._address, self._connect_timeout)
        except Exception as error:
            self._connecting = None
            self._fall(reason_of(error, self._address), loop)
        else:
            self._connecting = self._down = None
            self._stream = Stream(opened.writer, loop, self, self._observe)
            if opened.primary is not None:
                self._watching = self._start_task(self._watch(self._stream, opened.primary), loop)
            self.flush()

    async def _watch(self, stream: Stream, primary: Primary) -> None:
        await replaced(self._address, primary, self._connect_timeout)
        stream.retire()

    def _fall(self, reason: Reason, loop: asyncio.AbstractEventLoop) -> None:
        """Fail commands at once from now on, and try again by ourselves after a while."""
        self._down = reason
        self._fail(self._waiting, reason)
        self._waiting.clear()
        delay = min(BACKOFF_CAP, BACKOFF_FIRST * 2 ** min(self._failures, 10)) * random.uniform(0.5, 1)  # noqa: S311
        self._failures += 1
        self._reconnect = loop.call_later(delay, self._connect, context=self._context)

    def stream_retired(self, stream: Stream) -> None:
        """A connection to a former primary has given its last reply."""
        self._stream = None
        self._unwatch()
        stream.drop(Reason.READONLY)
        self._connect()

    def stream_lost(self, stream: Stream, reason: Reason) -> None:
        """Fail what was sent; what was not goes over the next connection."""
        self._fail(stream.sent, reason, uncertain=True)
        stream.sent.clear()
        if stream is not self._stream or self._loop is None:
            return
        self._stream = None
        self._unwatch()
        if stream.age(monotonic()) < STABLE_AFTER:
            self._fall(reason, self._loop)
        else:
            self._failures = 0
            self._connect()

    def _unwatch(self) -> None:
        if self._watching is not None:
            self._watching.cancel()

    def _fail(self, commands: Iterable[Command], reason: Reason, *, uncertain: bool = False) -> None:
        now = monotonic()
        for command in commands:
            command.fail(StoreUnavailable(reason, uncertain=uncertain), now, self._observe)
