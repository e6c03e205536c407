"""Sheds requests beyond MAX_IN_FLIGHT, at a bounded rate.

A refusal costs more than an answer (1.7 times the CPU with 2,300 waiting), and a client that retries immediately causes
thousands of them: 1,000 such clients took half of the goodput, 4,000 all of it. So a refusal waits, which costs no CPU;
the more are waiting, the longer. Beyond MOST_WAITING they are sent immediately, because each takes some 10 kB of
memory.
"""

import asyncio
import logging
import random
from typing import NoReturn

from common.http.problem import Problem
from common.http.site import Site
from common.observability.load import in_flight
from common.observability.notices import Notices

REFUSALS_PER_SECOND = 300
MOST_WAITING = 4096
LONGEST = 4.0
"""Seconds; proxies in front time out after 5 or more."""

SPREAD = 0.2
"""Jitter, as a share of the wait: refusals sent together would delay the requests in flight."""

notices = Notices(logging.getLogger(__name__))

_waiting = 0
"""Number of waiting refusals."""


async def refuse(site: Site) -> NoReturn:
    """Waits, then raises the site's Problem (503). Meanwhile the request does not count as in flight."""
    global _waiting
    notices.warn("shedding load", max_in_flight=site.max_in_flight)
    if _waiting < MOST_WAITING:
        _waiting += 1
        try:
            with in_flight.paused():
                wait = min(LONGEST, _waiting / REFUSALS_PER_SECOND)
                await asyncio.sleep(wait * random.uniform(1 - SPREAD, 1))  # noqa: S311 - jitter
        finally:
            _waiting -= 1
            if _waiting == 0:
                notices.warn("shedding ended")
    raise Problem(site.overload_code, "Too many requests are in flight.", reason="overload")
