"""The client: one origin, one pool, and the one retry that is part of keep-alive itself."""

import asyncio
from collections.abc import AsyncIterator

from ._answer import Answer
from ._origin import Origin
from ._pool import Limits, Pool, Stats
from ._request import CHUNKED, IDEMPOTENT, framing, serialize
from .errors import ConnectionReset, UpstreamTimeout


class Upstream:
    """A keep-alive HTTP/1.1 client for one origin, for one event loop: the first that `request` runs on.

    Times are seconds. `idle_timeout` must be under the server's own keep-alive time, or requests meet
    connections that it is just closing. Names are resolved for each new connection; `max_age` (±10 %) and
    `max_requests` end connections so that new pods get traffic. `ca_file` replaces the system's store for
    `https://`. Raises ValueError for a URL that is not scheme, host and port.
    """

    def __init__(
        self,
        url: str,
        *,
        connect_timeout: float,
        max_connections: int = 128,
        max_waiting: int = 1024,
        max_age: float = 60.0,
        max_requests: int = 10_000,
        idle_timeout: float = 4.0,
        max_answer_header_bytes: int = 65536,
        ca_file: str | None = None,
    ) -> None:
        self._origin = Origin(url, ca_file)
        self._limits = Limits(
            connect_timeout=connect_timeout,
            max_connections=max_connections,
            max_waiting=max_waiting,
            max_age=max_age,
            max_requests=max_requests,
            idle_timeout=idle_timeout,
            max_answer_header_bytes=max_answer_header_bytes,
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pool: Pool | None = None

    @property
    def stats(self) -> Stats:
        """Connections open and idle, requests waiting for one."""
        return self._pool.stats if self._pool else Stats(0, 0, 0)

    @property
    def capacity(self) -> int:
        """How many requests it carries at once, those that wait for a connection included."""
        return self._limits.max_connections + self._limits.max_waiting

    async def request(
        self,
        method: bytes,
        target: bytes,
        headers: list[tuple[bytes, bytes]],
        body: bytes | AsyncIterator[bytes] = b"",
        *,
        content_length: int | None = None,
        timeout: float,  # noqa: ASYNC109 a deadline for more than this coroutine: the answer's stream too
    ) -> Answer:
        """Send one request; its answer, up to 64 KiB of body whole, a larger one as a stream.

        `timeout` bounds everything: the wait for a connection, sending, and the answer to its last byte.
        An iterator `body` is sent chunked, or as it is if `content_length` says how long it will be. An
        answer that is complete before the body was sent ends the sending.

        Raises what `errors` lists; ValueError for a request that HTTP cannot carry, or a body that is not
        `content_length` bytes; and what the iterator raises.
        """
        loop = asyncio.get_running_loop()
        pool = self._pool_on(loop)
        if isinstance(body, bytes):
            if content_length not in (None, len(body)):
                raise ValueError("content_length is not the length of the body")
            frame = framing(method, len(body))
        elif content_length is not None and content_length < 0:
            raise ValueError("content_length is negative")
        else:
            frame = CHUNKED if content_length is None else framing(method, content_length)
        head = serialize(method, target, self._origin.host_line, headers, frame)
        now = loop.time()
        deadline = now + timeout
        if timeout <= 0:
            raise UpstreamTimeout(f"{self._origin.netloc}: no time was left for the request")
        is_head = method == b"HEAD"
        connection = pool.take(now) or await pool.acquire(deadline)
        try:
            return await connection.exchange(head, body, deadline, is_head=is_head, length=content_length)
        except ConnectionReset as error:
            if not error.reused or method not in IDEMPOTENT or not isinstance(body, bytes):
                raise
        # It was closed while idle, as RFC 9112 §9.3.1 expects of it: once more, on a connection of our own.
        connection = await pool.acquire(deadline, fresh=True)
        return await connection.exchange(head, body, deadline, is_head=is_head)

    async def close(self) -> None:
        """Close every connection; requests in flight end with ConnectionReset, later ones ConnectFailed."""
        if self._pool is not None:
            await self._pool.close()

    def _pool_on(self, loop: asyncio.AbstractEventLoop) -> Pool:
        if self._loop is not loop:
            if self._loop is not None:
                raise RuntimeError("an Upstream belongs to one event loop: make one for each")
            self._loop = loop
            self._pool = Pool(loop, self._origin, self._limits)
        assert self._pool is not None  # noqa: S101 for mypy
        return self._pool
