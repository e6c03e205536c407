"""Keeps one connection to Redis open: connects on demand, at once after a loss, then with back-off and jitter.

At most one attempt is in flight.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextvars import Context
from typing import Any

from ._discovery import Primary
from ._opening import Opener
from ._stream import Stream
from .errors import Reason, reason_of

Close = Callable[[], Coroutine[Any, Any, None]]

BACKOFF_FIRST = 0.05  # seconds before the second attempt; doubles
BACKOFF_CAP = 0.5  # with a connect time-out of 0.5 s: a new primary within 1 s of its election, a server within 2 s


class Link:
    """Calls `on_open` with each new connection, `on_failure` for each failed attempt, `close` before its loop ends."""

    def __init__(
        self,
        opener: Opener,
        timeout: float,
        on_open: Callable[[Stream], None],
        on_failure: Callable[[Reason], None],
        close: Close,
        context: Context,
    ) -> None:
        self._opener = opener
        self._timeout = timeout
        self._on_open, self._on_failure, self._close = on_open, on_failure, close
        self._context = context
        self.loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._connecting: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None  # for another primary
        self._failures = 0
        self._retry: asyncio.TimerHandle | None = None
        self._guard: AsyncGenerator[None, None] | None = None

    def adopt(self, loop: asyncio.AbstractEventLoop) -> None:
        """Use this loop; the one before has ended, and closed what belonged to it. Raises RuntimeError."""
        if self.loop is not None and self.loop.is_running():
            raise RuntimeError("a Pipe belongs to one event loop: close it there before using it in another")
        self.forget()
        self.loop, self._guard, self._tasks = loop, None, set()

    def connect(self) -> None:
        """Start an attempt, unless one is in flight."""
        if self._connecting is None and self.loop is not None:
            self._connecting = self._start(self._open())

    def retry(self) -> None:
        """Start an attempt after a delay that doubles until one succeeds; jitter: half of it."""
        if self.loop is not None:
            delay = min(BACKOFF_CAP, BACKOFF_FIRST * 2 ** min(self._failures, 10)) * random.uniform(0.5, 1)  # noqa: S311
            self._failures += 1
            self._retry = self.loop.call_later(delay, self.connect, context=self._context)

    def stable(self) -> None:
        """The last connection lasted: the next attempt needs no delay."""
        self._failures = 0

    def unwatch(self) -> None:
        """Stop looking for another primary: the connection is gone."""
        if self._watching is not None:
            self._watching.cancel()

    def forget(self) -> None:
        """No attempt, no delay, no failures."""
        if self._retry is not None:
            self._retry.cancel()
        self._connecting = self._watching = self._retry = None
        self._failures = 0

    async def close(self) -> None:
        """Cancel everything and wait for it."""
        self.forget()
        for task in self._tasks:
            if not task.cancelling():  # a second time would interrupt how it closes its own connections
                task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks))

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        assert self.loop is not None  # noqa: S101 - for mypy
        task = self.loop.create_task(work, context=self._context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _open(self) -> None:
        if self._guard is None:
            self._guard = _close_with_loop(self._close)
            await anext(self._guard)
        try:
            async with asyncio.timeout(self._timeout):
                opened = await self._opener.open()
        except Exception as error:
            self._connecting = None
            self._on_failure(reason_of(error, is_tls=self._opener.address.is_tls))
        else:
            self._connecting = None
            if opened.primary is not None:
                self._watching = self._start(self._watch(opened.stream, opened.primary))
            self._on_open(opened.stream)

    async def _watch(self, stream: Stream, primary: Primary) -> None:
        await self._opener.replaced(primary)
        stream.retire()


async def _close_with_loop(close: Close) -> AsyncGenerator[None, None]:
    # asyncio.run() closes async generators before the loop: its one public hook for that moment.
    # A socket that outlives its loop warns, and under -W error uvloop's close() hangs on it.
    try:
        yield
    finally:
        await close()
