"""The client: one origin, a pool for each of its addresses, and the one retry that keep-alive needs."""

import asyncio
import math
from collections.abc import Callable, Collection
from contextlib import suppress

from ._answer import Answer
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
from ._origin import Address, MakeContext, Network, Origin
from ._pool import Limits, Pool, Stats
from ._request import REPEATABLE, UPGRADE, Body, Message, framing, serialize

CHECK_SECONDS = 0.8

Check = Callable[[Answer], bool]


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
        is_live: Check = lambda answer: answer.status < 500,
        changed: Callable[[str, str], None] = lambda address, reason: None,
    ) -> None:
        self._origin = Origin(url, tls, addresses, zones)
        self._limits = limits
        self._check, self._is_live = check, is_live
        self._members = Members(self._pool_for, changed)
        self._retired: list[Pool] = []
        self._doubted: set[Connection] = set()
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
        """How many there are, and how many of them are not ejected."""
        return len(self._members.all), self._members.ready

    async def request(
        self,
        method: bytes,
        target: bytes,
        headers: list[tuple[bytes, bytes]],
        body: Body = b"",
        *,
        content_length: int | None = None,
        timeout: float,  # noqa: ASYNC109 a deadline for more than this coroutine: the answer's stream too
        avoided: Collection[str] = (),
        idle: float = 0,
        upgrades: bool = False,
    ) -> Answer:
        """Send one request; return its answer, a body above 64 KiB as a stream.

        `timeout` bounds everything: the wait for a connection, sending, and the answer to its last byte.
        An iterator `body` is sent chunked, or unframed if `content_length` is given. An answer that is complete
        before the body was sent ends the sending. `avoided`: addresses to use only if there is no other. With `idle`,
        `timeout` ends at the answer's head; its body is a stream, and each piece may take `idle` seconds. `upgrades`: the
        request asks for a WebSocket; the body of a 101 is what the server sends on the connection.

        Raises UpstreamError; ValueError for a request that HTTP cannot carry, or a body that is not
        `content_length` bytes; and the iterator's own exceptions.
        """
        frame = UPGRADE if upgrades else framing(method, body, content_length)
        head = serialize(method, target, self._origin.host_line, headers, frame)
        may_repeat = method in REPEATABLE and isinstance(body, bytes)
        message = Message(head, body, content_length, method == b"HEAD", may_repeat, idle, upgrades)
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
        answer = await self._exchanged(member, connection, message, deadline)
        if len(self._members.all) > 1:
            answer.address = member.address.host
            self._members.answered(member, answer.status, loop.time())
        return answer

    async def _exchanged(self, member: Member, connection: Connection, message: Message, deadline: float) -> Answer:
        first, timer = connection, None
        if len(self._members.all) > 1 and message.may_repeat:
            loop = asyncio.get_running_loop()
            timer = loop.call_at((loop.time() + deadline) / 2, self._doubt, member, connection)
        try:
            try:
                return await connection.exchange(message, deadline)
            except ConnectionReset as error:
                if not error.reused or not message.may_repeat:
                    raise
            # The server closed it while it was idle, as RFC 9112 §9.3.1 allows: one retry, on a fresh connection.
            connection = await member.pool.acquire(deadline, fresh=True)
            return await connection.exchange(message, deadline)
        except UpstreamError as error:
            self._note(member, error)
            raise
        finally:
            if timer is not None:
                timer.cancel()
                self._doubted.discard(first)

    def _doubt(self, member: Member, connection: Connection) -> None:
        """Half of a request's time is over: check its address, and end the request there if that fails."""

        def end(check: asyncio.Task[bool]) -> None:
            if connection in self._doubted and not check.cancelled() and not check.result():
                self._members.failed(member, "check", asyncio.get_running_loop().time(), at_once=True)
                connection.drop(ConnectionReset(f"{member.address.host}: it answers no check either", sent=True))

        self._doubted.add(connection)
        if member.check is None or member.check.done():
            member.check = asyncio.get_running_loop().create_task(self._check_one(member))
        member.check.add_done_callback(end)

    async def _connected(self, member: Member, deadline: float, avoided: Collection[str]) -> tuple[Member, Connection]:
        """A connection to this address, or to another one where no connection can be made: nothing was sent."""
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
        pools = [*(member.pool for member in self._members.all), *self._retired]
        await asyncio.gather(*(pool.close() for pool in pools))

    # ---- the addresses

    def _pool_for(self, address: Address) -> Pool:
        assert self._loop is not None  # noqa: S101 for mypy
        return Pool(self._loop, self._origin, address.host, self._limits)

    async def _look(self, loop: asyncio.AbstractEventLoop, now: float, deadline: float) -> None:
        """Resolve the name: before the first request, then beside the requests."""
        if self._loop is not loop:
            if self._loop is not None:
                raise RuntimeError("an Upstream belongs to one event loop: make one for each")
            self._loop = loop
        if not self._members.all:
            await self._look_first(loop, deadline - now)
        elif self._looking is None or self._looking.done():
            self._looking = loop.create_task(self._look_again())
        self._look_at = now + self._limits.check_interval

    async def _look_first(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        """All requests wait for one look-up, and continue in their order."""
        if self._closed:
            raise ConnectFailed(f"{self._origin.netloc}: the pool is closed")
        if self._looking is None or self._looking.done():
            self._looking = loop.create_task(self._resolve(math.inf))
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
        gone = self._members.set(found)
        self._retired = [pool for pool in (*self._retired, *gone) if pool.stats.open]

    async def _look_again(self) -> None:
        """Resolve the name again, and check its addresses if there are several."""
        with suppress(ConnectFailed):  # the addresses so far are better than none
            await self._resolve(math.inf)
        if len(self._members.all) > 1:
            await asyncio.gather(*(self._check_one(member) for member in self._members.all))

    async def _check_one(self, member: Member) -> bool:
        loop = asyncio.get_running_loop()
        head = serialize(b"GET", self._check, self._origin.host_line, [], framing(b"GET", b""))
        deadline = loop.time() + CHECK_SECONDS
        try:
            connection = member.pool.take(loop.time()) or await member.pool.acquire(deadline)
            answer = await connection.exchange(Message(head), deadline)
            await answer.aclose()
            is_live = self._is_live(answer)
        except PoolFull:
            return True  # it is busy: requests will tell
        except UpstreamError:
            is_live = False
        self._members.checked(member, is_live, loop.time())
        return is_live
