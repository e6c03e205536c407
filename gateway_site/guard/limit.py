"""The rate limit: the generic cell rate algorithm (GCRA), which keeps one number for each client.

The number is the time at which the client's whole burst is available again. A request moves it ahead by one interval;
one that would move it further than the length of a burst is refused. `limits` has no bursts, and `throttled-py` makes
one round trip to Redis for each request, at ten times the CPU (docs/adr/0101-guards.md).
"""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

from common.http.problem import Problem
from common.http.request import Request
from common.http.response import Fields
from gateway_site.guard.metrics import RATE_LIMITED
from gateway_site.routes.rate import Rate

MAX_CLIENTS = 20_000
"""Clients in the local store, some 5 MB; beyond it the least recent one is evicted, and has a whole burst again."""

State = tuple[int, int]
"""After a request: ns until the burst is whole, and ns until a refused request may be retried (0: it was accepted)."""

SECOND = 1_000_000_000
ROUNDED = 1_000
"""The rounding error of the shared store in ns: it counts in µs."""


Take = Callable[[str], Awaitable[State]]
"""Counts a request of a client."""


def nanoseconds(rate: Rate) -> tuple[int, int]:
    """The lengths of one request and of a burst."""
    interval = round(rate.interval * SECOND)
    return interval, interval * rate.burst


class LocalStore:
    """The numbers of this process, in bounded memory."""

    def __init__(
        self, rate: Rate, *, max_clients: int = MAX_CLIENTS, clock: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._interval, self._tolerance = nanoseconds(rate)
        self._max_clients, self._clock = max_clients, clock
        self._full_at: OrderedDict[str, int] = OrderedDict()  # least recent first

    def __len__(self) -> int:
        return len(self._full_at)

    async def take(self, client: str) -> State:
        return self.take_now(client)

    def take_now(self, client: str) -> State:
        now, known = self._clock(), self._full_at
        if client not in known:
            self._make_room(now)
        full_at = max(known.get(client, now), now)
        after = full_at + self._interval
        early = after - now - self._tolerance
        if early > 0:
            known.move_to_end(client)
            return full_at - now, early
        known[client] = after
        known.move_to_end(client)
        return after - now, 0

    def _make_room(self, now: int) -> None:
        """Evicts up to two clients with a whole burst for each new one, so that memory shrinks after a flood of
        clients."""
        known = self._full_at
        for _ in range(2):
            if known and (known[next(iter(known))] <= now or len(known) >= self._max_clients):
                known.popitem(last=False)


class Limiter:
    """One rate for every client, and the header fields that show it under `name` (draft-ietf-httpapi-ratelimit-headers)."""

    def __init__(self, rate: Rate, take: Take, name: str = "default") -> None:
        self._take = take
        self._interval, tolerance = nanoseconds(rate)
        self._tolerance = tolerance + min(ROUNDED, self._interval // 2)
        quoted = b'"%b"' % name.encode("ascii")
        policy = (b"ratelimit-policy", b"%b;q=%d;w=%d" % (quoted, rate.burst, rate.refill))

        @lru_cache(maxsize=4096)
        def fields(left: int, seconds: int) -> Fields:
            return (b"ratelimit", b"%b;r=%d;t=%d" % (quoted, max(0, left), seconds)), policy

        self._fields = fields
        self._refusal = f"The limit is {rate.count} requests in {rate.period} s, {rate.burst} at once."

    async def count(self, request: Request, client: str) -> None:
        """Counts the request and adds the fields to its answer. Raises Problem (429)."""
        full_in, early = await self._take(client)
        request.answer_fields += self._fields((self._tolerance - full_in) // self._interval, -(-full_in // SECOND))
        if early > 0:
            RATE_LIMITED.inc()
            retry_after = (b"retry-after", b"%d" % -(-early // SECOND))
            raise Problem("too-many-requests", self._refusal, headers=[retry_after])


@lru_cache(maxsize=4096)
def client_of(address: str) -> str:
    """The client that is limited without a credential: an address, or the /64 of an IPv6 subscriber."""
    try:
        parsed = ip_address(address[:64])
    except ValueError:
        return "addr:unknown"
    if isinstance(parsed, IPv6Address):
        mapped = parsed.ipv4_mapped
        return f"addr:{mapped}" if mapped else f"addr:{ip_network((parsed, 64), strict=False)}"
    return f"addr:{parsed}"
