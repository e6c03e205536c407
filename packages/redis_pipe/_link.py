"""Keeps one connection to Redis open: connects on demand, immediately after a loss, then with back-off and jitter.

At most one attempt is in flight.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any

from ._address import Node
from ._opening import Opener
from ._stream import Stream
from .errors import Reason, reason_of

BACKOFF_FIRST = 0.05  # seconds before the second attempt; doubles
BACKOFF_CAP = 0.5  # with a connect time-out of 0.5 s: a new primary within 1 s of its election, a server within 2 s


class Link:
    """Calls `on_open` with each new connection, `on_failure` for each failed attempt."""

    def __init__(
        self,
        opener: Opener,
        on_open: Callable[[Stream], None],
        on_failure: Callable[[Reason], None],
        context: Context,
    ) -> None:
        self._opener = opener
        self._on_open, self._on_failure = on_open, on_failure
        self._context = context
        self.loop: asyncio.AbstractEventLoop | None = None
        self.failures = 0  # in a row
        self._tasks: set[asyncio.Task[None]] = set()
        self._connecting: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None  # for another primary
        self._retry: asyncio.TimerHandle | None = None

    def connect(self) -> None:
        """Start an attempt, unless one is in flight."""
        if self._connecting is None and self.loop is not None:
            self._connecting = self._start(self._open(), self.loop)

    def retry(self) -> None:
        """Start an attempt after a delay that doubles until one succeeds; jitter: half of it."""
        delay = min(BACKOFF_CAP, BACKOFF_FIRST * 2 ** min(self.failures, 10)) * random.uniform(0.5, 1)  # noqa: S311
        self.failures += 1
        if self.loop is not None:
            self._retry = self.loop.call_later(delay, self.connect, context=self._context)

    def unwatch(self) -> None:
        """Stop looking for another primary: the connection is gone."""
        if self._watching is not None:
            self._watching.cancel()

    async def close(self) -> None:
        """Cancel everything and wait until it has ended. The next use may be in another event loop."""
        if self._retry is not None:
            self._retry.cancel()
        self.loop = self._connecting = self._watching = self._retry = None
        self.failures = 0
        for task in self._tasks:
            if not task.cancelling():  # a second cancellation would interrupt the closing of its own connections
                task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks))

    def _start(self, work: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop) -> asyncio.Task[None]:
        task = loop.create_task(work, context=self._context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _open(self) -> None:
        try:
            async with asyncio.timeout(self._opener.options.connect_timeout):
                stream, primary = await self._opener.open()
        except Exception as error:
            if self._connecting is asyncio.current_task():  # otherwise closed meanwhile
                self._connecting = None
                self._on_failure(reason_of(error, is_tls=self._opener.address.is_tls))
            return
        self._connecting = None
        if primary is not None:
            self._watching = self._start(self._watch(stream, primary), stream.closed.get_loop())
        self._on_open(stream)

    async def _watch(self, stream: Stream, primary: Node) -> None:
        await self._opener.replaced(primary)
        stream.retire()
