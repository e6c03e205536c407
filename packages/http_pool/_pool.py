"""The connections to one address: their number, their age, and the queue for a free one."""

import asyncio
import random
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import NamedTuple

from ._connection import Connection
from ._errors import ConnectFailed, ConnectionReset, PoolFull
from ._origin import Origin

# The loop calls connection_lost within its next two turns, unless a transport hangs.
_CLOSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Times are in seconds.

    `idle_timeout` must be below the server's, otherwise requests use connections that the server is closing. `max_age`
    (±10 %) and `max_requests` end connections, so that new pods get traffic. Limits apply per address. While there are
    requests, the name is resolved and its addresses are checked every `check_interval`.
    """

    connect_timeout: float
    max_connections: int = 128
    max_waiting: int = 1024
    max_age: float = 60.0
    max_requests: int = 10_000
    idle_timeout: float = 4.0
    check_interval: float = 2.0


class Stats(NamedTuple):
    """Open connections (those being opened included), idle ones among them, and requests waiting for one."""

    open: int
    idle: int
    waiting: int


class Pool:
    """Last in, first out, so that surplus connections grow idle and expire.

    A slot is the right to one open connection. It is taken before connecting and passes, with or without its
    connection, directly to the first request in the queue: no new request overtakes.
    """

    def __init__(self, origin: Origin, address: str, limits: Limits) -> None:
        self._loop = asyncio.get_running_loop()
        self._origin, self._address, self._limits = origin, address, limits
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

    @property
    def busy(self) -> int:
        """Requests in flight, and those that wait."""
        return self._slots - len(self._idle) + len(self._waiters)

    def take(self, now: float) -> Connection | None:
        """The connection used last, if one is idle."""
        while self._idle:
            connection = self._idle.pop()
            if now < connection.idle_until and connection.is_usable():
                return connection
            connection.abort()
        return None

    async def acquire(self, deadline: float, share: float = 1.0) -> Connection:
        """A new connection, or one that becomes free by `deadline`, a time of the loop's clock.

        `share`: of `connect_timeout`, if other addresses can be tried too. Raises ConnectFailed, ConnectTimeout,
        PoolFull, all with nothing sent.
        """
        first = False
        while not self._closed:
            if self._slots < self._limits.max_connections:
                self._slots += 1
                return await self._connect(deadline, share)
            given = self._idle.pop() if self._idle else await self._wait(deadline, first=first)
            if given is None:
                return await self._connect(deadline, share)
            if given.is_usable():
                return given
            first = True  # lost before it arrived here: its slot is free again, this request keeps its place
        raise ConnectFailed(f"{self._origin.netloc}: the pool is closed")

    async def _wait(self, deadline: float, *, first: bool) -> Connection | None:
        """Wait in the queue for a connection, or None: a slot to connect with."""
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
                self._pass_on(waiter.result())  # granted and cancelled in the same turn of the loop
            raise
        finally:
            timer.cancel()

    def _expire(self, waiter: asyncio.Future[Connection | None]) -> None:
        if not waiter.done():
            self._waiters.remove(waiter)
            waiter.set_exception(PoolFull(f"{self._origin.netloc}: no connection was free in time"))

    def _pass_on(self, given: Connection | None) -> None:
        if given is None:
            self._free_slot()
        elif given.is_usable():
            self._release(given)

    async def _connect(self, deadline: float, share: float) -> Connection:
        """A new connection in the caller's slot; on failure frees the slot."""
        now = self._loop.time()
        limits = self._limits
        timeout = min(limits.connect_timeout * share, deadline - now)
        try:
            connection = await self._origin.connect(self._new, self._address, timeout)
            if self._closed or not connection.is_usable():
                connection.abort()
                raise ConnectFailed(f"{self._origin.netloc}: closed as soon as it was open")
        except BaseException:
            self._free_slot()
            raise
        connection.expires_at = now + limits.max_age * random.uniform(0.9, 1.1)  # noqa: S311 - spreads the renewals
        connection.owned = True
        self._connections.add(connection)
        return connection

    def _new(self) -> Connection:
        return Connection(self._origin.netloc, self._release, self._on_lost)

    def retire(self) -> None:
        """Close idle connections now and the others after their exchange; nobody waits for one of them."""
        self._limits = replace(self._limits, max_requests=0)
        for connection in self._idle:
            connection.abort()

    async def close(self) -> None:
        """Close every connection, refuse further requests, and return when the sockets are closed."""
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

    # ---- callbacks of connections

    def _release(self, connection: Connection) -> None:
        """The exchange succeeded: pass the connection to the first request in the queue, else keep it idle."""
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

    def _on_lost(self, connection: Connection) -> None:
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
            if not waiter.done():  # else cancelled
                return waiter
        return None

    def _sweep(self) -> None:
        """Close connections that were idle too long; run again when the next one expires."""
        self._sweeper = None
        now = self._loop.time()
        for connection in [idle for idle in self._idle if idle.idle_until <= now]:
            self._idle.remove(connection)
            connection.abort()
        if self._idle:
            self._sweeper = self._loop.call_at(min(idle.idle_until for idle in self._idle), self._sweep)
