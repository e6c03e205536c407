"""A TCP relay on loopback that delays, resets or holds traffic between two processes."""

import asyncio
import contextlib
import random
from typing import Self

CHUNK = 65_536


class Relay:
    """Faults apply immediately, also to open connections."""

    def __init__(self, target: int = 0) -> None:
        self.target = target
        self.latency = 0.0  # seconds, added to each chunk each way
        self.reset_share = 0.0  # of the chunks that clients send: both ends are reset instead
        self.is_cut = False  # nothing passes, and both ends stay open; delayed bytes arrive after `heal`
        self.drops_answers = False  # requests pass, answers are discarded
        self._healed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def inject(
        self, *, is_cut: bool = False, latency: float = 0.0, reset_share: float = 0.0, drops_answers: bool = False
    ) -> None:
        self.is_cut, self.latency, self.reset_share, self.drops_answers = is_cut, latency, reset_share, drops_answers
        self._healed.clear()

    def heal(self) -> None:
        self.inject()
        self._healed.set()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to the target. Raises OSError."""
        return await asyncio.open_connection("127.0.0.1", self.target)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - for mypy
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        far_writer: asyncio.StreamWriter | None = None
        try:
            if self.is_cut:
                await self._healed.wait()
            far_reader, far_writer = await self.connect()
            ways = [self._pump(reader, far_writer, is_request=True), self._pump(far_reader, writer, is_request=False)]
            pumps = [asyncio.create_task(way) for way in ways]
            try:
                # HTTP and Redis have no half-open connections here: one end closes the other.
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            pass  # asyncio's server logs a cancelled task as an error
        finally:
            for end in (writer, far_writer):
                if end is not None:
                    await self._let_go(end)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_request: bool) -> None:
        while data := await reader.read(CHUNK):
            if self.latency:
                await asyncio.sleep(self.latency)
            if self.is_cut:
                await self._healed.wait()
            if is_request and self.reset_share and random.random() < self.reset_share:
                writer.transport.abort()
                return
            if self.drops_answers and not is_request:
                continue
            writer.write(data)
            await writer.drain()

    async def _let_go(self, writer: asyncio.StreamWriter) -> None:
        # Flush first: a relayed answer must arrive.
        with contextlib.suppress(OSError, TimeoutError, asyncio.CancelledError):
            async with asyncio.timeout(1):
                writer.close()
                await writer.wait_closed()
        writer.transport.abort()
