"""Requests beyond MAX_IN_FLIGHT are refused, but so many refusals a second and no more.

A refusal costs more than an answer (1.7 times the CPU, with 2,300 that wait: what it needs has left the caches), and a client
that asks again at once makes thousands of them: 1,000 such clients took half of the goodput, 4,000 all of it. So a refusal
waits, the longer the more of them wait already, and a waiting one costs nothing. A few refusals come at once; beyond
MOST_WAITING they do again, as waiting costs memory (some 10 kB each).
"""

import asyncio
import random
from typing import NoReturn

from django.conf import settings

from common.http.problems import Problem
from common.observability.load import in_flight

MAX_IN_FLIGHT: int = settings.MAX_IN_FLIGHT
REFUSALS_PER_SECOND = 300
MOST_WAITING = 4096
LONGEST = 4.0
"""Seconds; what stands in front of us gives up after 5 or more."""

SPREAD = 0.2
"""Who came together is refused over this share of the wait: all at once, they are a burst that those in flight wait for."""


class Waiting:
    """Refusals that wait now."""

    count = 0


waiting = Waiting()


async def refuse() -> NoReturn:
    """Raises the site's Problem (503) when it may be sent; until then the request is not in flight."""
    if waiting.count < MOST_WAITING:
        waiting.count += 1
        try:
            with in_flight.paused():
                wait = min(LONGEST, waiting.count / REFUSALS_PER_SECOND)
                await asyncio.sleep(wait * random.uniform(1 - SPREAD, 1))  # noqa: S311 - jitter
        finally:
            waiting.count -= 1
    raise Problem(settings.OVERLOAD_PROBLEM, "Too many requests are in flight.")
