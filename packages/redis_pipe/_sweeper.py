"""One timer at the oldest deadline, instead of one for each command."""

import asyncio
import math
from collections.abc import Callable
from contextvars import Context
from time import monotonic

GRAIN = 0.01  # seconds; the least time between two sweeps
LATE, GRACE = 0.1, 0.05
"""If the timer is this late (seconds), this process or the machine stalled: wait so long for replies that have
arrived."""

NEVER = math.inf


class Sweeper:
    """Calls `sweep(now)` at the armed time; `sweep` returns its next time, or NEVER.

    Times are `time.monotonic()`: uvloop's own clock does not advance within a tick and counts milliseconds.
    """

    def __init__(self, sweep: Callable[[float], float], context: Context) -> None:
        self._sweep = sweep
        self._context = context
        self._timer: asyncio.TimerHandle | None = None
        self._has_waited = False
        self.at = NEVER

    def arm(self, loop: asyncio.AbstractEventLoop, at: float) -> None:
        """Replace the armed time."""
        self.cancel()
        self.at = at
        self._timer = loop.call_later(at - monotonic(), self._fire, loop, context=self._context)

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self.at = NEVER

    def _fire(self, loop: asyncio.AbstractEventLoop) -> None:
        now = monotonic()
        late = now - self.at
        self.cancel()
        if late > LATE and not self._has_waited:
            self._has_waited = True
            self.arm(loop, now + GRACE)
            return
        self._has_waited = False
        again = self._sweep(now)
        if again < self.at:
            self.arm(loop, max(again, now + GRAIN))
