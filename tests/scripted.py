"""A TCP server whose connections follow a test's script."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable

Converse = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Scripted:
    """Runs `converse` for each connection, then closes it. An assertion that fails in it fails `stop()`."""

    def __init__(self, converse: Converse) -> None:
        self._converse = converse
        self._server: asyncio.Server
        self._tasks: set[asyncio.Task[None]] = set()
        self._failures: list[Exception] = []
        self.port = 0
        self.opened = 0  # connections so far

    @property
    def open(self) -> int:
        """How many connections there are now."""
        return len(self._tasks)

    async def start(self, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self._server = await asyncio.start_server(self._serve, host, port, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        assert not self._failures, self._failures

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.opened += 1
        try:
            await self._converse(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client went away, or the test is over
        except Exception as error:
            self._failures.append(error)
        finally:
            self._tasks.discard(task)
            writer.close()
