"""A request body that arrives in pieces: framed, and sent no faster than the connection takes it."""

from collections.abc import AsyncIterator, Awaitable, Callable

from ._errors import InvalidRequest

Send = Callable[[bytes], Awaitable[None]]


async def send_body(send: Send, body: AsyncIterator[bytes], length: int | None) -> None:
    """Send `body`, chunked if `length` is None, else `length` bytes of it.

    Raises InvalidRequest if the body is shorter, or longer within a piece. Reads no further than `length` bytes, so that the
    request counts as sent before the iterator ends.
    """
    if length is None:
        await _send_chunked(send, body)
        return
    left = length
    while left:
        piece = await anext(body, None)
        if piece is None:
            raise InvalidRequest("the body is shorter than its length")
        left -= len(piece)
        if left < 0:
            raise InvalidRequest("the body is longer than its length")
        await send(piece)


async def _send_chunked(send: Send, body: AsyncIterator[bytes]) -> None:
    async for piece in body:
        if piece:  # an empty chunk would end the body
            await send(b"%x\r\n%b\r\n" % (len(piece), piece))
    await send(b"0\r\n\r\n")
