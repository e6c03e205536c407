"""Requests beyond MAX_IN_FLIGHT are refused, but so many refusals a second and no more.

A refusal costs a good part of an answer, and a client that asks again at once makes thousands of them: 1,000 such clients took
half of the goodput, 4,000 all of it. So a refusal waits, the longer the more of them wait already, and a waiting one costs
nothing. A few refusals come at once; beyond MOST_WAITING they do again, as waiting costs memory (some 10 kB each).
"""

import asyncio
import random
from typing import NoReturn

from django.conf import settings

from common.metrics import in_flight
from common.problems import Problem

MAX_IN_FLIGHT: int = settings.MAX_IN_FLIGHT
REFUSALS_PER_SECOND = 500
MOST_WAITING = 4096
LONGEST = 4.0
"""Seconds; what stands in front of us gives up after 5 or more."""


class Waiting:
    """Refusals that wait now."""

    count = 0


waiting = Waiting()


async def refuse() -> NoReturn:
    """Raises the site's Problem (503) when it may be sent; until then the request is not in flight."""
    if waiting.count < MOST_WAITING:
        waiting.count += 1
        in_flight.count -= 1
        try:
            # Spread out: all at once, they would be a burst that those in flight wait for.
            spread = random.uniform(0.5, 1.5)  # noqa: S311
            await asyncio.sleep(min(LONGEST, waiting.count / REFUSALS_PER_SECOND * spread))
        finally:
            waiting.count -= 1
            in_flight.count += 1
    raise Problem(settings.OVERLOAD_PROBLEM, "Too many requests are in flight.")
