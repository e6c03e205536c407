"""The rate limit: the generic cell rate algorithm (GCRA), which keeps one number a client.

The number is the time at which the client's burst is whole again. A request moves it on by one interval; where that would be
further ahead than a burst is long, the request comes too early. No library: `limits` has no bursts, and `throttled-py`
asks Redis for each request by itself, at ten times the CPU (docs/adr/0101-guards.md).
"""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Protocol

from common.http.problem import Problem
from common.http.request import Request
from common.http.response import Fields
from gateway_site.guard.metrics import RATE_LIMITED
from gateway_site.guard.rate import Rate

MAX_CLIENTS = 20_000
"""Clients that the local store remembers, some 5 MB; beyond it the one who was away longest gets a whole burst again."""


State = tuple[int, int]
"""After a request: ns until its client's burst is whole again, and ns that it came too early (0: it may pass)."""

SECOND = 1_000_000_000
ROUNDED = 1_000
"""By how many ns the shared store may be off, which counts in µs."""


class Store(Protocol):
    """Keeps one number a client."""

    def take(self, client: str) -> State | Awaitable[State]: ...
    async def close(self) -> None: ...


def nanoseconds(rate: Rate) -> tuple[int, int]:
    """That one request uses up, and that a burst does."""
    interval = round(rate.interval * SECOND)
    return interval, interval * rate.burst


class LocalStore:
    """The numbers of this process, in bounded memory."""

    def __init__(
        self, rate: Rate, *, max_clients: int = MAX_CLIENTS, clock: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._interval, self._tolerance = nanoseconds(rate)
        self._max_clients, self._clock = max_clients, clock
        self._full_at: OrderedDict[str, int] = OrderedDict()  # who was here last comes last

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, client: str) -> State:
        """Takes one request off the client's limit, if there is one."""
        now, known = self._clock(), self._full_at
        full_at = known.get(client, 0)
        if full_at <= now:
            if full_at == 0:
                self._make_room(now)
            full_at = now
        after = full_at + self._interval
        early = after - now - self._tolerance
        if early > 0:
            known.move_to_end(client)
            return full_at - now, early
        known[client] = after
        known.move_to_end(client)
        return after - now, 0

    async def close(self) -> None:
        """Nothing to close."""

    def _make_room(self, now: int) -> None:
        """For one more. Two whose burst is whole go for each that comes: memory shrinks again after a crowd."""
        known = self._full_at
        for _ in range(2):
            if known and (known[next(iter(known))] <= now or len(known) >= self._max_clients):
                known.popitem(last=False)


class Limiter:
    """One rate for every client, and the fields that tell them (draft-ietf-httpapi-ratelimit-headers)."""

    def __init__(self, rate: Rate, store: Store) -> None:
        self.store = store
        self._interval, tolerance = nanoseconds(rate)
        self._tolerance = tolerance + min(ROUNDED, self._interval // 2)
        policy = (b"ratelimit-policy", b'"default";q=%d;w=%d' % (rate.burst, rate.refill))

        @lru_cache(maxsize=4096)
        def fields(left: int, seconds: int) -> Fields:
            return (b"ratelimit", b'"default";r=%d;t=%d' % (max(0, left), seconds)), policy

        self._fields = fields
        self._refusal = f"The limit is {rate.count} requests in {rate.period} s, {rate.burst} at once."

    def count(self, request: Request, state: State) -> Problem | None:
        """Has the answer tell what is left, and in how many seconds the burst is whole again. A problem (429) for a request
        that came too early."""
        full_in, early = state
        request.answer_fields += self._fields((self._tolerance - full_in) // self._interval, -(-full_in // SECOND))
        if early == 0:
            return None
        RATE_LIMITED.inc()
        return Problem("too-many-requests", self._refusal, headers=[(b"retry-after", b"%d" % -(-early // SECOND))])

    async def close(self) -> None:
        """Ends what the store has under way."""
        await self.store.close()


@lru_cache(maxsize=4096)
def client_of(address: str) -> str:
    """Who is limited where there is no credential: an address; of IPv6 the /64, all of which one subscriber has."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return "addr:unknown"
    if isinstance(parsed, IPv6Address):
        mapped = parsed.ipv4_mapped
        return f"addr:{mapped}" if mapped else f"addr:{ip_network((parsed, 64), strict=False)}"
    return f"addr:{parsed}"
