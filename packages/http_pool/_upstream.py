"""The client: one origin, one pool, and the one retry that keep-alive needs."""

import asyncio
from collections.abc import AsyncIterator

from ._answer import Answer
from ._errors import ConnectionReset, UpstreamTimeout
from ._origin import Origin
from ._pool import Limits, Pool, Stats
from ._request import CHUNKED, REPEATABLE, framing, serialize


class Upstream:
    """A keep-alive HTTP/1.1 client for one origin and one event loop: the first that `request` runs on.

    Names are resolved for each new connection. `ca_file` replaces the system's store for `https://`. Raises
    ValueError for a URL that is not scheme, host and port.
    """

    def __init__(self, url: str, limits: Limits, *, ca_file: str | None = None) -> None:
        self._origin = Origin(url, ca_file)
        self._limits = limits
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pool: Pool | None = None

    @property
    def stats(self) -> Stats:
        return self._pool.stats if self._pool else Stats(0, 0, 0)

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
        """Send one request; return its answer, a body above 64 KiB as a stream.

        `timeout` bounds everything: the wait for a connection, sending, and the answer to its last byte.
        An iterator `body` is sent chunked, or unframed if `content_length` is given. An answer that is complete
        before the body was sent ends the sending.

        Raises UpstreamError; ValueError for a request that HTTP cannot carry, or a body that is not
        `content_length` bytes; and the iterator's own exceptions.
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
            if not error.reused or method not in REPEATABLE or not isinstance(body, bytes):
                raise
        # The server closed it while it was idle, as RFC 9112 §9.3.1 allows: one retry, on a fresh connection.
        connection = await pool.acquire(deadline, fresh=True)
        return await connection.exchange(head, body, deadline, is_head=is_head)

    async def close(self) -> None:
        """Close every connection; requests in flight end with ConnectionReset, later ones with ConnectFailed."""
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
