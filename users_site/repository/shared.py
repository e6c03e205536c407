"""One read for all concurrent requests for the same data."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from contextvars import Context
from typing import Any

Read = Callable[..., Coroutine[Any, Any, Any]]


class SharedReads:
    """At most one read in flight for the same arguments. Requests that come before it is sent share it, later ones
    share the next one: no answer is older than its request.

    The number of requests in flight bounds keys and waiting reads.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        self._running: dict[Hashable, asyncio.Task[Any]] = {}
        self._next: dict[Hashable, asyncio.Task[Any]] = {}

    async def get(self, *args: Any) -> Any:
        """The result of `read(*args)`. If a caller gives up, the read continues for the others."""
        task = self._next.get(args)
        if task is None:
            # An empty context: the read belongs to no request, whose deadline would shorten it.
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
    """Retrieves the exception: asyncio would log it if all callers gave up."""
    if not future.cancelled():
        future.exception()
