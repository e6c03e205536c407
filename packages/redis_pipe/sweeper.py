"""One timer at the oldest deadline, in place of one for each command."""

import asyncio
import math
from collections.abc import Callable
from contextvars import Context
from time import monotonic

GRAIN = 0.01  # seconds; the least time between two looks
LATE, GRACE = 0.1, 0.05
"""Who looks so much too late stood still, throttled or with the whole machine: what comes now is given a moment (seconds)."""

NEVER = math.inf


class Sweeper:
    """Calls `look(now)` at the time it was armed for; `look` answers when to look again, or NEVER.

    Times are `time.monotonic()`: uvloop's own clock stands still within a tick and counts milliseconds.
    """

    def __init__(self, look: Callable[[float], float], context: Context) -> None:
        self._look = look
        self._context = context
        self._timer: asyncio.TimerHandle | None = None
        self._has_waited = False
        self.at = NEVER

    def arm(self, loop: asyncio.AbstractEventLoop, now: float, at: float) -> None:
        """Look at `at`, in place of any other time."""
        self.cancel()
        self.at = at
        self._timer = loop.call_later(at - now, self._fire, loop, context=self._context)

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
            self.arm(loop, now, now + GRACE)
            return
        self._has_waited = False
        again = self._look(now)
        if again < self.at:
            self.arm(loop, now, max(again, now + GRAIN))
