"""One read for all who ask the same at once."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from contextvars import Context
from typing import Any

Read = Callable[..., Coroutine[Any, Any, Any]]


class SharedReads:
    """At most one read in flight for each of its arguments. Requests that come before it is sent share it; those that come
    later share the next one, so that nobody gets an answer that is older than the request.

    Keys and waiting reads are bounded by the number of requests in flight.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        self._running: dict[Hashable, asyncio.Task[Any]] = {}
        self._next: dict[Hashable, asyncio.Task[Any]] = {}

    async def get(self, *args: Any) -> Any:
        """What `read(*args)` returns or raises. A caller that gives up does not stop the others' read."""
        task = self._next.get(args)
        if task is None:
            # An empty context: the read belongs to no request, and no request's deadline cuts it short.
            before = self._running.get(args)
            task = asyncio.get_running_loop().create_task(self._run(args, before), context=Context())
            task.add_done_callback(retrieve)
            self._next[args] = task
        return await asyncio.shield(task)

    async def _run(self, args: tuple[Any, ...], before: asyncio.Task[Any] | None) -> Any:
        if before is not None:
            await asyncio.wait([before])
        else:
            await asyncio.sleep(0)  # requests of this tick of the loop
        task = self._running[args] = self._next.pop(args)
        try:
            return await self._read(*args)
        finally:
            if self._running[args] is task:
                del self._running[args]


def retrieve(future: asyncio.Future[Any]) -> None:
    """For what is shared: if all callers gave up, asyncio would log its exception."""
    if not future.cancelled():
        future.exception()
