"""A request body that comes in pieces: framed, and sent no faster than the connection takes it."""

from collections.abc import AsyncIterator, Awaitable
from typing import Protocol


class Sink(Protocol):
    """The connection that a body leaves on; `send` waits while its buffer is full."""

    def send(self, data: bytes) -> Awaitable[None]: ...


async def send_body(sink: Sink, body: AsyncIterator[bytes], length: int | None) -> None:
    """Send `body`, chunked if `length` is None, else `length` bytes of it.

    Raises ValueError when it ends before them or within a piece; what comes after is never asked for, so
    that a request counts as sent when it is, and not when the iterator has noticed its own end.
    """
    if length is None:
        await _send_chunked(sink, body)
        return
    left = length
    while left:
        piece = await anext(body, None)
        if piece is None:
            raise ValueError("the body is shorter than its content_length")
        left -= len(piece)
        if left < 0:
            raise ValueError("the body is longer than its content_length")
        await sink.send(piece)


async def _send_chunked(sink: Sink, body: AsyncIterator[bytes]) -> None:
    async for piece in body:
        if piece:  # an empty chunk would end the body
            await sink.send(b"%x\r\n%b\r\n" % (len(piece), piece))
    await sink.send(b"0\r\n\r\n")
