"""Activates a changed file of ROUTES; one that is invalid changes only a metric and the log."""

import asyncio
import logging
import time
from pathlib import Path
from typing import Any

from gateway_site.forwarding.metrics import REFUSED
from gateway_site.forwarding.names import look_up
from gateway_site.forwarding.router import Router
from gateway_site.routes.reading import table
from gateway_site.routes.source import Malformed, state_of

RETRY_SECONDS = 5.0
"""Between two readings of a refused table: its schemas may arrive later."""

logger = logging.getLogger(__name__)


class Reloader:
    """`source`: the arguments of `table`, the first of them a path. `longest_ms`: the longest time of a request that
    the drain allows."""

    def __init__(self, source: tuple[Any, ...], router: Router, longest_ms: int) -> None:
        self._source, self._router, self._longest_ms = source, router, longest_ms
        self._path = Path(source[0])
        self._seen: object = None
        self._read: object = None
        self._reading: asyncio.Task[None] | None = None
        self._looking_up: asyncio.Task[None] | None = None
        self._refused, self._refused_at = "", 0.0

    def check(self) -> None:
        """Called twice a second. Reads a changed file once it is the same in two consecutive calls."""
        before, self._seen = self._seen, [state_of(path) for path in (self._path, *self._router.table.files)]
        if self._refused and time.monotonic() > self._refused_at + RETRY_SECONDS:
            self._read = None  # the files that it names may exist now
        is_reading = self._reading is not None and not self._reading.done()
        if self._seen != self._read and before in (None, self._seen) and not is_reading:
            self._read = self._seen
            self._reading = asyncio.create_task(self._reload())

    async def _reload(self) -> None:
        try:
            found = await asyncio.to_thread(table, *self._source)  # a large one takes seconds
            if longest := next((route for route in found.routes if route.timeout_ms > self._longest_ms), None):
                cure = f"the longest was {self._longest_ms} at the start; restart the gateway for a longer one"
                raise Malformed(f"route {longest.prefix}: timeout_ms is {longest.timeout_ms}: {cure}")
            is_new = found != self._router.table
            if is_new:
                self._router.apply(found)
        except (Malformed, OSError) as error:  # OSError: a certificate that existed when the table was read
            if str(error) != self._refused:
                logger.error("routes refused: the old ones stay in force", extra={"fields": {"reason": str(error)}})
            self._refused, self._refused_at = str(error), time.monotonic()
            REFUSED.set(1)
            return
        self._refused = ""
        REFUSED.set(0)
        if is_new:
            logger.info("routes changed", extra={"fields": {"routes": {r.prefix: r.upstream for r in found.routes}}})
            if self._looking_up is not None:
                self._looking_up.cancel()
            self._looking_up = asyncio.create_task(look_up(found.upstreams.values()))  # DNS may hang
