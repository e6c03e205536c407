"""Warnings about changes of state: a dependency lost or back, a circuit opened, load shed.

The first is logged immediately. Repeats within INTERVAL are counted and logged in one line at its end, so that a flapping
dependency cannot flood the log.
"""

import asyncio
import logging
from contextvars import Context
from typing import Any

INTERVAL = 10.0


class Notices:
    """`notices.warn("store lost", reason="refused")`. Messages are constants; fields have the variable parts."""

    def __init__(self, logger: logging.Logger, interval: float = INTERVAL) -> None:
        self._logger, self._interval = logger, interval
        self._repeats: dict[str, tuple[int, dict[str, Any]]] = {}  # since the last line, and the latest fields

    def warn(self, message: str, **fields: Any) -> None:
        """Logs or counts the message. Without a running event loop it is always logged."""
        if message in self._repeats:
            count, _ = self._repeats[message]
            self._repeats[message] = count + 1, fields
            return
        self._logger.warning(message, extra={"fields": fields})
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        self._repeats[message] = 0, fields
        # An empty context: the line must not have the ID of the request that opened the window.
        loop.call_later(self._interval, self._close, message, context=Context())

    def _close(self, message: str) -> None:
        count, fields = self._repeats.pop(message)
        if count:
            self.warn(message, **{**fields, "repeats": count})
