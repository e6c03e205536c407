"""The connections to one origin: how many, how long, and who gets the next one."""

import asyncio
import random
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from ._connection import Connection
from ._origin import Origin
from .errors import ConnectFailed, ConnectionReset, PoolFull, UpstreamTimeout

# The loop calls connection_lost in its next turn or two; more is a transport that hangs.
_CLOSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds."""

    connect_timeout: float
    max_connections: int
    max_waiting: int
    max_age: float
    max_requests: int
    idle_timeout: float
    max_answer_header_bytes: int


class Stats(NamedTuple):
    """Connections open (those being opened included), of them idle; requests waiting for one."""

    open: int
    idle: int
    waiting: int


class Pool:
    """Last in, first out: the connections that load does not need grow idle and go.

    A slot is the right to one open connection. It is taken before connecting and passes, with the
    connection or without, straight to the first in the queue: no newcomer overtakes.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, origin: Origin, limits: Limits) -> None:
        self._loop = loop
        self._origin = origin
        self._limits = limits
        self._slots = 0
        self._connections: set[Connection] = set()
        self._idle: list[Connection] = []
        self._waiters: deque[asyncio.Future[Connection | None]] = deque()
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False
        self._all_lost = asyncio.Event()

    @property
    def stats(self) -> Stats:
        return Stats(self._slots, len(self._idle), len(self._waiters))

    def take(self, now: float) -> Connection | None:
        """The connection used last, if one is idle."""
        while self._idle:
            connection = self._idle.pop()
            if now < connection.idle_until and connection.is_usable():
                return connection
            connection.abort()
        return None

    async def acquire(self, deadline: float, *, fresh: bool = False) -> Connection:
        """A new connection, or one that gets free, by the time the loop's clock shows `deadline`.

        `fresh`: new in any case, in the place of another if need be. Raises ConnectFailed, ConnectTimeout,
        PoolFull, UpstreamTimeout; nothing has been sent then.
        """
        first = False
        while not self._closed:
            if self._slots < self._limits.max_connections:
                self._slots += 1
                return await self._connect(deadline)
            given = self._idle.pop() if self._idle else await self._wait(deadline, first=first)
            if given is None:
                return await self._connect(deadline)
            if not given.is_usable():
                first = True  # lost on its way to us: its slot is free again, and we keep our place
            elif fresh and given.requests:
                self._disown(given)
                return await self._connect(deadline)
            else:
                return given
        raise ConnectFailed(f"{self._origin.netloc}: the pool is closed")

    async def _wait(self, deadline: float, *, first: bool) -> Connection | None:
        """In the queue until given a connection, or None: a slot to connect with."""
        if len(self._waiters) >= self._limits.max_waiting and not first:
            raise PoolFull(f"{self._origin.netloc}: {len(self._waiters)} requests wait for a connection")
        waiter: asyncio.Future[Connection | None] = self._loop.create_future()
        (self._waiters.appendleft if first else self._waiters.append)(waiter)
        timer = self._loop.call_at(deadline, self._expire, waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.cancelled():
                with suppress(ValueError):
                    self._waiters.remove(waiter)
            elif waiter.exception() is None:
                self._pass_on(waiter.result())  # given and cancelled in the same turn of the loop
            raise
        finally:
            timer.cancel()

    def _expire(self, waiter: asyncio.Future[Connection | None]) -> None:
        if not waiter.done():
            self._waiters.remove(waiter)
            waiter.set_exception(UpstreamTimeout(f"{self._origin.netloc}: no connection was free in time"))

    def _pass_on(self, given: Connection | None) -> None:
        if given is None:
            self._free_slot()
        elif given.is_usable():
            self.released(given)

    async def _connect(self, deadline: float) -> Connection:
        """A new connection in a slot that is ours; the slot is free again if there is none."""
        now = self._loop.time()
        limits = self._limits
        timeout = min(limits.connect_timeout, deadline - now)
        try:
            connection = await self._origin.connect(self._new, timeout)
            if self._closed or not connection.is_usable():
                connection.abort()
                raise ConnectFailed(f"{self._origin.netloc}: closed as soon as it was open")
        except BaseException:
            self._free_slot()
            raise
        connection.expires_at = now + limits.max_age * random.uniform(0.9, 1.1)  # noqa: S311 not all at once
        connection.owner = self
        self._connections.add(connection)
        return connection

    def _new(self) -> Connection:
        return Connection(self._loop, self._origin.netloc, self._limits.max_answer_header_bytes)

    def _disown(self, connection: Connection) -> None:
        """Close a connection but keep its slot."""
        connection.owner = None
        self._connections.discard(connection)
        connection.abort()

    async def close(self) -> None:
        """Close every connection, idle or not, and refuse what comes. Returns when the sockets are closed."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        error = ConnectFailed(f"{self._origin.netloc}: the pool is closed")
        while waiter := self._next_waiter():
            waiter.set_exception(error)
        for connection in list(self._connections):
            connection.drop(ConnectionReset(str(error), sent=True))
        if self._connections:
            with suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await self._all_lost.wait()

    # ---- the owner of connections

    def released(self, connection: Connection) -> None:
        """Its exchange ended well: to the first who waits, else idle."""
        now = self._loop.time()
        if now >= connection.expires_at or connection.requests >= self._limits.max_requests:
            connection.abort()
        elif waiter := self._next_waiter():
            waiter.set_result(connection)
        else:
            connection.idle_until = min(now + self._limits.idle_timeout, connection.expires_at)
            self._idle.append(connection)
            if self._sweeper is None:
                self._sweeper = self._loop.call_at(connection.idle_until, self._sweep)

    def lost(self, connection: Connection) -> None:
        """It is closed: its slot is free."""
        self._connections.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if self._closed and not self._connections:
            self._all_lost.set()
        self._free_slot()

    def _free_slot(self) -> None:
        if waiter := self._next_waiter():
            waiter.set_result(None)
        else:
            self._slots -= 1

    def _next_waiter(self) -> asyncio.Future[Connection | None] | None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():  # else cancelled, and about to notice
                return waiter
        return None

    def _sweep(self) -> None:
        """Close what was idle too long, and come back when the next one will have been."""
        self._sweeper = None
        now = self._loop.time()
        for connection in [idle for idle in self._idle if idle.idle_until <= now]:
            self._idle.remove(connection)
            connection.abort()
        if self._idle:
            self._sweeper = self._loop.call_at(min(idle.idle_until for idle in self._idle), self._sweep)
