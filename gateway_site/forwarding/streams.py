"""Streams and WebSockets of one upstream. They have a limit of their own and do not count in MAX_IN_FLIGHT."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from common.http.problem import Problem
from common.http.request import Request
from common.observability.load import in_flight
from gateway_site.forwarding.metrics import STREAMS
from packages.http_pool import Answer

Chunks = AsyncGenerator[bytes, None]


class Streams:
    """`most`: how many may be open, each from its request to its last byte; the upstream's pool grows by it. `ended`:
    none is open."""

    def __init__(self, upstream: str, most: int) -> None:
        self._most, self._open = most, 0
        self._gauge = STREAMS.labels(upstream)
        self.ended = asyncio.Event()
        self.ended.set()

    def admit(self) -> None:
        """Raises Problem (503)."""
        if self._open >= self._most:
            soon = [(b"retry-after", b"5")]
            raise Problem("upstream-unavailable", "Too many streams are open.", headers=soon, reason="streams")
        self._open += 1
        self.ended.clear()
        self._gauge.inc()

    def release(self) -> None:
        """Call it once for each stream that was admitted."""
        self._open -= 1
        if not self._open:
            self.ended.set()
        self._gauge.dec()


async def not_in_flight(chunks: Chunks) -> Chunks:
    with in_flight.paused():
        async with aclosing(chunks) as pieces:
            async for piece in pieces:
                yield piece


async def until_disconnect(request: Request, answer: Answer) -> Chunks:
    """The body as it arrives, until the client leaves or the server stops."""

    async def disconnected() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        answer.cut()

    watching = asyncio.create_task(disconnected())
    try:
        async for chunk in answer.chunks():
            yield chunk
    finally:
        watching.cancel()
