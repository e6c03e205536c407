"""The client: one origin, a pool for each address, and the retry that keep-alive requires."""

import asyncio
import math
from collections.abc import Callable, Collection
from contextlib import suppress
from contextvars import Context

from ._answer import Answer
from ._checks import Checks, IsLive
from ._connection import Connection
from ._errors import (
    BodyTimeout,
    ConnectFailed,
    ConnectionReset,
    ConnectTimeout,
    PoolFull,
    UpstreamError,
    UpstreamTimeout,
)
from ._members import Member, Members
from ._origin import MakeContext, Network, Origin
from ._pool import Limits, Pool, Stats
from ._request import Fields, Outgoing, serialize


class Upstream:
    """A keep-alive HTTP/1.1 client for one origin and one event loop: the first that `request` runs on.

    A name may have several addresses. Each request goes to the less busy one of two. One that fails is ejected until a GET of
    `check` there gives an answer that `is_live`; `changed(address, reason)` is called then, with the reason "" for its return.
    `addresses` replace those of the name; those in the network of `zones` that has this process too are preferred.
    `tls` gives the context of each new connection to `https://`.
    Raises ValueError for a URL that is not scheme, host and port.
    """

    def __init__(
        self,
        url: str,
        limits: Limits,
        *,
        tls: MakeContext | None = None,
        addresses: Collection[str] = (),
        zones: Collection[Network] = (),
        check: bytes = b"/",
        is_live: IsLive = lambda answer: answer.status < 500,
        changed: Callable[[str, str], None] = lambda address, reason: None,
    ) -> None:
        self._origin = Origin(url, tls, addresses, zones)
        self._limits = limits
        self._members = Members(lambda address: Pool(self._origin, address.host, limits), changed)
        self._checks = Checks(self._members, self._origin.host_line, check, is_live)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._look_at = -math.inf
        self._looking: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def stats(self) -> Stats:
        found = [member.pool.stats for member in self._members.all]
        return Stats(*(sum(values) for values in zip(*found, strict=True))) if found else Stats(0, 0, 0)

    @property
    def addresses(self) -> tuple[int, int]:
        """The number of addresses, and of those that are not ejected."""
        return len(self._members.all), self._members.ready

    async def request(
        self,
        request: Outgoing,
        timeout: float,  # noqa: ASYNC109 a deadline for more than this coroutine: the answer's stream too
        more: Fields = (),
        avoided: Collection[str] = (),
    ) -> Answer:
        """Send one request, with `more` header fields; return its answer, a body above 64 KiB as a stream.

        `timeout` bounds everything: the wait for a connection, sending, and the answer to its last byte; of a request with
        `idle`, to its head. An answer that is complete before the body was sent ends the sending. `avoided`: addresses to use
        only if there is no other.

        Raises UpstreamError, InvalidRequest, and the body iterator's own exceptions.
        """
        head = serialize(request, self._origin.host_line, more)
        loop = asyncio.get_running_loop()
        now = loop.time()
        deadline = now + timeout
        if timeout <= 0:
            raise UpstreamTimeout(f"{self._origin.netloc}: no time was left for the request")
        if now >= self._look_at or loop is not self._loop:
            await self._look(loop, now, deadline)
        member = self._members.choose(avoided)
        connection = member.pool.take(now)
        if connection is None:
            member, connection = await self._connected(member, deadline, avoided)
        ask = self._watched if len(self._members.all) > 1 else self._ask
        return await ask(member, connection, request, head, deadline)

    async def _ask(
        self, member: Member, connection: Connection, request: Outgoing, head: bytes, deadline: float
    ) -> Answer:
        """One retry where the server closed the connection while it was idle, as RFC 9112 §9.3.1 allows."""
        try:
            return await connection.exchange(request, head, deadline)
        except ConnectionReset as error:
            if not error.reused or not request.is_safe or request.is_streamed:
                raise
            connection = await member.pool.acquire(deadline)
            return await connection.exchange(request, head, deadline)

    async def _watched(
        self, member: Member, connection: Connection, request: Outgoing, head: bytes, deadline: float
    ) -> Answer:
        """The answer of one of several addresses."""
        loop, timer = asyncio.get_running_loop(), None
        if request.is_safe and not request.is_streamed:
            timer = loop.call_at((loop.time() + deadline) / 2, self._checks.doubt, member, connection)
        try:
            answer = await self._ask(member, connection, request, head, deadline)
        except UpstreamError as error:
            self._note(member, error)
            raise
        finally:
            if timer is not None:
                timer.cancel()
                self._checks.trust(connection)
        answer.address = member.address.host
        self._members.answered(member, answer.status, loop.time())
        return answer

    async def _connected(self, member: Member, deadline: float, avoided: Collection[str]) -> tuple[Member, Connection]:
        """A connection to this address; to another one if that fails, because nothing was sent."""
        tried, is_fresh = set(avoided), False
        while True:
            left = max(1, len(self._members.all) - len(tried))
            try:
                return member, await member.pool.acquire(deadline, 1 / left)
            except UpstreamError as error:
                self._note(member, error)
                if self._closed or not isinstance(error, ConnectFailed):
                    raise
                tried.add(member.address.host)
                member = self._members.choose(tried)
                if member.address.host in tried and not is_fresh:
                    is_fresh = True  # the name may have another address now
                    with suppress(ConnectFailed):
                        await self._resolve(deadline)
                    member = self._members.choose(tried)
                if member.address.host in tried:
                    raise

    def _note(self, member: Member, error: UpstreamError) -> None:
        if len(self._members.all) < 2 or isinstance(error, (PoolFull, BodyTimeout)):
            return
        error.address = member.address.host
        now = asyncio.get_running_loop().time()
        self._members.failed(member, error.reason, now, at_once=isinstance(error, ConnectFailed))

    def is_out(self, address: str) -> bool:
        """Whether this address is ejected, and another one is not."""
        return self._members.ready > 0 and any(
            member.ejected_until is not None for member in self._members.all if member.address.host == address
        )

    async def close(self) -> None:
        """Close every connection; requests in flight end with ConnectionReset, later ones with ConnectFailed."""
        self._closed = True
        for task in (self._looking, *(member.check for member in self._members.all)):
            if task is not None:
                task.cancel()
        pools = [*(member.pool for member in self._members.all), *self._members.retired]
        await asyncio.gather(*(pool.close() for pool in pools))

    # ---- the addresses

    async def _look(self, loop: asyncio.AbstractEventLoop, now: float, deadline: float) -> None:
        """Resolve the name: before the first request, then beside the requests."""
        if self._loop is not loop:
            if self._loop is not None:
                raise RuntimeError("an Upstream belongs to one event loop: make one for each")
            self._loop = loop
        if not self._members.all:
            await self._look_first(loop, deadline - now)
        elif self._looking is None or self._looking.done():
            self._looking = loop.create_task(self._look_again(), context=Context())  # of no request
        self._look_at = now + self._limits.check_interval

    async def _look_first(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        """One look-up for all waiting requests, which continue in their order."""
        if self._closed:
            raise ConnectFailed(f"{self._origin.netloc}: the pool is closed")
        if self._looking is None or self._looking.done():
            self._looking = loop.create_task(self._resolve(math.inf), context=Context())
            # If all requests have left, asyncio would log the error.
            self._looking.add_done_callback(lambda task: task.cancelled() or task.exception())
        looking = self._looking
        await asyncio.wait({looking}, timeout=seconds)
        if not looking.done():
            raise ConnectTimeout(f"{self._origin.netloc}: the name was not resolved in time")
        if looking.cancelled():
            raise ConnectFailed(f"{self._origin.netloc}: the pool is closed")
        looking.result()

    async def _resolve(self, deadline: float) -> None:
        found = await self._origin.resolve(
            min(self._limits.connect_timeout, deadline - asyncio.get_running_loop().time())
        )
        if self._closed:
            raise ConnectFailed(f"{self._origin.netloc}: the pool is closed")
        self._members.set(found)

    async def _look_again(self) -> None:
        """Resolve the name again, and check its addresses if there are several."""
        with suppress(ConnectFailed):  # the addresses so far are better than none
            await self._resolve(math.inf)
        if len(self._members.all) > 1:
            await self._checks.all()
