"""An answer, and the stream its body comes through when it is too large to be handed over whole."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from typing import Protocol

from .errors import ConnectionReset

# Above HIGH_WATER bytes unread we stop reading the socket, below LOW_WATER we go on.
HIGH_WATER = 256 * 1024
LOW_WATER = 64 * 1024


class Source(Protocol):
    """The connection that a body arrives on."""

    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def drop(self, error: BaseException) -> None: ...


class Stream:
    """Body bytes on their way from a connection to one reader, bounded by HIGH_WATER and one socket read."""

    __slots__ = ("_chunks", "_ended", "_error", "_loop", "_paused", "_size", "_source", "_waiter")

    def __init__(self, loop: asyncio.AbstractEventLoop, source: Source, chunks: Iterable[bytes]) -> None:
        self._loop = loop
        self._source: Source | None = source
        self._chunks = deque(chunks)
        self._size = sum(map(len, self._chunks))
        self._paused = False
        self._ended = False
        self._error: BaseException | None = None
        self._waiter: asyncio.Future[None] | None = None

    def feed(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self._size += len(chunk)
        self._wake()
        if self._size > HIGH_WATER and not self._paused and self._source is not None:
            self._paused = True
            self._source.pause()

    def end(self) -> None:
        """The body is complete; what is unread stays readable, the connection may go on without us."""
        self._ended = True
        self._source = None
        self._wake()

    def fail(self, error: BaseException) -> None:
        if not self._ended:
            self._error = error
            self._source = None
            self._wake()

    def abandon(self) -> None:
        """Nobody will read on: end the connection, unless the body had arrived already."""
        self._chunks.clear()
        if self._source is not None:
            self._source.drop(ConnectionReset("the answer was abandoned", sent=True))

    async def read(self) -> bytes:
        """The next bytes, b"" at the end. Raises what the connection failed with."""
        while not self._chunks:
            if self._error is not None:
                raise self._error
            if self._ended:
                return b""
            self._waiter = self._loop.create_future()
            await self._waiter
        chunk = self._chunks.popleft()
        self._size -= len(chunk)
        if self._paused and self._size < LOW_WATER:
            self._paused = False
            if self._source is not None:
                self._source.resume()
        return chunk

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Answer:
    """A final answer. Header names are lower-cased; order and duplicates are as they came, trailers dropped.

    `body` is the whole body, or None: then read `chunks()` to its end, or call `aclose()`.
    """

    __slots__ = ("_stream", "body", "headers", "status")

    def __init__(
        self, status: int, headers: list[tuple[bytes, bytes]], body: bytes | None, stream: Stream | None = None
    ) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self._stream = stream

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body, once, in pieces as they arrive.

        Raises BadAnswer when it breaks off, UpstreamTimeout at the request's deadline. Leaving the iteration
        before its end closes the connection.
        """
        if self._stream is None:
            if self.body:
                yield self.body
            return
        try:
            while chunk := await self._stream.read():
                yield chunk
        finally:
            self._stream.abandon()

    async def aclose(self) -> None:
        """Give the rest of the body up. Closes the connection if the body had not arrived. Idempotent."""
        if self._stream is not None:
            self._stream.abandon()
