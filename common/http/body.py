"""Reads request bodies, with bounds on their size and on the memory of all clients together.

The server cuts off bodies that arrive too slowly (common/server/limits.py).
"""

from collections.abc import AsyncIterator

from common.http.overload import refuse
from common.http.problem import Problem
from common.http.request import ClientGone, Request
from common.observability.load import in_flight

UNFINISHED_BYTES = 32 * 1024 * 1024
"""Maximum of incomplete bodies in memory, for all clients together; a request that exceeds it is refused."""

_unfinished = 0
"""Bytes in memory now."""


async def read_body(request: Request, limit: int | None = None) -> bytes:
    """The whole body, read once; `limit` in place of MAX_BODY_BYTES. Raises Problem (413, 503), ClientGone."""
    if request.body is None:
        request.body = await _whole(request, limit) if request.has_body else b""
        if request.body and in_flight.count > request.site.max_in_flight:  # many bodies became complete together
            await refuse(request.site)
    return request.body


async def _whole(request: Request, limit: int | None) -> bytes:
    global _unfinished
    pieces: list[bytes] = []
    size = 0
    try:
        async for chunk in chunks(request, limit):
            pieces.append(chunk)
            size += len(chunk)
            _unfinished += len(chunk)
            if _unfinished > UNFINISHED_BYTES:
                await refuse(request.site)
    finally:
        _unfinished -= size
    return b"".join(pieces)


def chunks(request: Request, limit: int | None = None) -> AsyncIterator[bytes]:
    """The body as it arrives. Raises Problem (413) immediately if the announced length is too large."""
    limit = request.site.max_body_bytes if limit is None else limit
    if (request.content_length or 0) > limit:
        raise _too_large(limit)
    return _chunks(request, limit)


async def _chunks(request: Request, limit: int) -> AsyncIterator[bytes]:
    received, more = 0, True
    while more:
        # A slow client is not load: otherwise a few hundred of them would cause all other requests to be shed.
        with in_flight.paused():
            message = await request.receive()
        if message["type"] != "http.request":
            raise ClientGone
        chunk, more = message.get("body", b""), message.get("more_body", False)
        received += len(chunk)
        if received > limit:
            raise _too_large(limit)
        if chunk:
            yield chunk


def _too_large(limit: int) -> Problem:
    return Problem("body-too-large", f"The body is larger than {limit} bytes.")
