"""Health checks of an upstream's addresses."""

import asyncio
from collections.abc import Callable
from contextvars import Context

from ._answer import Answer
from ._connection import Connection
from ._errors import ConnectionReset, PoolFull, UpstreamError
from ._members import Member, Members
from ._request import Outgoing, serialize

CHECK_SECONDS = 0.8

IsLive = Callable[[Answer], bool]


class Checks:
    """A check is a GET of `path`, whose answer `is_live`."""

    def __init__(self, members: Members, host_line: bytes, path: bytes, is_live: IsLive) -> None:
        self._members, self._host_line, self._is_live = members, host_line, is_live
        self._request = Outgoing("GET", path, [])
        self._doubted: set[Connection] = set()

    async def all(self) -> None:
        await asyncio.gather(*(self._check(member) for member in self._members.all))

    def doubt(self, member: Member, connection: Connection) -> None:
        """Called when half of a request's time is over: check its address, and end the request if that fails."""

        def end(check: asyncio.Task[bool]) -> None:
            if connection in self._doubted and not check.cancelled() and not check.result():
                self._members.failed(member, "check", asyncio.get_running_loop().time(), at_once=True)
                connection.drop(ConnectionReset(f"{member.address.host}: it answers no check either", sent=True))

        self._doubted.add(connection)
        if member.check is None or member.check.done():
            member.check = asyncio.get_running_loop().create_task(self._check(member), context=Context())
        member.check.add_done_callback(end)

    def trust(self, connection: Connection) -> None:
        """Called when the request on this connection has ended."""
        self._doubted.discard(connection)

    async def _check(self, member: Member) -> bool:
        loop = asyncio.get_running_loop()
        head = serialize(self._request, self._host_line)
        deadline = loop.time() + CHECK_SECONDS
        try:
            connection = member.pool.take(loop.time()) or await member.pool.acquire(deadline)
            answer = await connection.exchange(self._request, head, deadline)
            await answer.aclose()
            is_live = self._is_live(answer)
        except PoolFull:
            return True  # it is busy: requests will tell
        except UpstreamError:
            is_live = False
        self._members.checked(member, is_live, loop.time())
        return is_live
