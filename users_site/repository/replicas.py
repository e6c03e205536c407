"""Reads that refuse a primary without replicas: what it serves may vanish at a failover."""

import asyncio
import re
from time import monotonic
from typing import Any

from packages.redis_pipe import Connection, Reason, Unavailable

CHECK_SECONDS = 0.5
MAX_LAG = 2
"""Seconds since a replica's last acknowledgement; a healthy one sends one each second."""

_lags = re.compile(rb"^slave\d+:.*\bstate=online\b.*\blag=(\d+)", re.MULTILINE).findall


class ReplicaCheck:
    """Asks the primary at most every CHECK_SECONDS; the reads in between share the answer."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._pending: asyncio.Future[Any] | None = None
        self._asked_at = -CHECK_SECONDS

    async def require(self) -> None:
        """Returns if a replica follows closely. Raises PipeError."""
        now = monotonic()
        if self._pending is None or now - self._asked_at >= CHECK_SECONDS:
            self._asked_at = now
            self._pending = asyncio.ensure_future(self._pipe.execute("replicas", b"INFO", b"replication"))
        if not any(int(lag) <= MAX_LAG for lag in _lags(await asyncio.shield(self._pending))):
            raise Unavailable(Reason.NOREPLICAS)
