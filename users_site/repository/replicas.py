"""Refuses reads from a primary without replicas: a failover may lose what it serves."""

import asyncio
import re
from contextvars import Context
from time import monotonic
from typing import Any

from common.http import deadline
from packages.redis_pipe import Connection, Reason, Unavailable
from users_site.repository.shared import retrieve

CHECK_SECONDS, LONGEST_SECONDS = 0.5, 5.0
MAX_LAG = 2
"""Seconds since a replica's last acknowledgement; a healthy one sends one each second."""

_lags = re.compile(rb"^slave\d+:.*\bstate=online\b.*\blag=(\d+)", re.MULTILINE).findall


class ReplicaCheck:
    """Queries each primary at most every CHECK_SECONDS; reads in between share the result."""

    def __init__(self) -> None:
        self._asked: dict[Connection, tuple[float, asyncio.Future[Any]]] = {}

    async def require(self, *primaries: Connection) -> None:
        """Returns if a replica follows each closely. Raises PipeError."""
        now = monotonic()
        for primary in dict.fromkeys(primaries):
            if primary not in self._asked or now - self._asked[primary][0] >= CHECK_SECONDS:
                # An empty context: no request's deadline may shorten it for the others.
                self._asked[primary] = now, Context().run(_ask, primary)
        try:
            async with asyncio.timeout(deadline.left(LONGEST_SECONDS)):
                for primary in dict.fromkeys(primaries):
                    if not any(int(lag) <= MAX_LAG for lag in _lags(await asyncio.shield(self._asked[primary][1]))):
                        raise Unavailable(Reason.NOREPLICAS)
        except TimeoutError:
            raise Unavailable(Reason.TIMEOUT) from None


def _ask(primary: Connection) -> asyncio.Future[Any]:
    reply = asyncio.ensure_future(primary.execute("replicas", b"INFO", b"replication"))
    reply.add_done_callback(retrieve)
    return reply
