"""An answer, and the stream that carries a body too large to be buffered."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable

from ._errors import ConnectionReset

# Reading from the socket pauses above HIGH_WATER unread bytes and resumes below LOW_WATER.
HIGH_WATER = 256 * 1024
LOW_WATER = 64 * 1024


class Stream:
    """Body bytes from one connection to one reader; holds at most HIGH_WATER and one socket read."""

    __slots__ = ("_chunks", "_drop", "_ended", "_error", "_paused", "_size", "_transport", "_waiter")

    def __init__(
        self, transport: asyncio.Transport, drop: Callable[[BaseException], None], chunks: Iterable[bytes]
    ) -> None:
        self._transport: asyncio.Transport | None = transport  # None once the body has ended or failed
        self._drop = drop
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
        if self._size > HIGH_WATER and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def end(self) -> None:
        """The body is complete: unread bytes stay readable, the connection may be reused."""
        self._ended = True
        self._transport = None
        self._wake()

    def fail(self, error: BaseException) -> None:
        if not self._ended:
            self._error = error
            self._transport = None
            self._wake()

    def cut(self) -> None:
        """End the body here: what has arrived stays readable, the connection closes."""
        self._ended = True
        if self._transport is not None:
            self._transport = None
            self._drop(ConnectionReset("the answer was cut", sent=True))
        self._wake()

    def abandon(self) -> None:
        """Drop unread bytes, and the connection unless the body was complete."""
        self._chunks.clear()
        if self._transport is not None:
            self._drop(ConnectionReset("the answer was abandoned", sent=True))

    async def read(self) -> bytes:
        """The next bytes, b"" at the end. Raises the error that ended the connection."""
        while not self._chunks:
            if self._error is not None:
                raise self._error
            if self._ended:
                return b""
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        chunk = self._chunks.popleft()
        self._size -= len(chunk)
        if self._paused and self._size < LOW_WATER:
            self._paused = False
            if self._transport is not None:
                self._transport.resume_reading()
        return chunk

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Answer:
    """A final answer. Header names are in lower case; order and duplicates are kept, trailers dropped.

    `body` is the whole body, or None: then read `chunks()` to its end, or call `aclose()`. `address`: the one that
    answered, if there are several. `send`: after a 101, sends bytes on the connection.
    """

    __slots__ = ("_stream", "address", "body", "headers", "send", "status")

    send: Callable[[bytes], Awaitable[None]]

    def __init__(
        self, status: int, headers: list[tuple[bytes, bytes]], body: bytes | None, stream: Stream | None = None
    ) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self._stream = stream
        self.address = ""

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The body in pieces, as they arrive; it can be read once.

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

    def cut(self) -> None:
        """End the body with what has arrived."""
        if self._stream is not None:
            self._stream.cut()

    async def aclose(self) -> None:
        """Drop the rest of the body, and the connection if the body was not complete. Idempotent."""
        if self._stream is not None:
            self._stream.abandon()
