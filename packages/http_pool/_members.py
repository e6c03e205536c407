"""The addresses of an upstream: their state, and the choice of one for a request."""

import asyncio
import random
from collections.abc import Callable, Collection

from ._origin import Address
from ._pool import Pool

EJECT_AFTER = 3
"""Consecutive failures; a connection that fails ejects immediately."""

SERVER_ERRORS = 5
"""Consecutive 5xx answers while another address answers well. At least half of the addresses stay: an overloaded
service needs them."""

FAILED_CHECKS = 2
"""Consecutive failed checks: one may be a pause of the garbage collector."""

EJECTED_SECONDS, MAX_EJECTED_SECONDS = 2.0, 30.0
"""The time doubles with each further ejection."""

FORGIVEN_AFTER = 60.0


class Member:
    def __init__(self, address: Address, pool: Pool) -> None:
        self.address, self.pool = address, pool
        self.failures = self.failed_checks = self.ejections = 0
        self.errors: int | None = None  # consecutive; None before the first answer
        self.ejected_until: float | None = None
        self.check: asyncio.Task[bool] | None = None
        self.returned_at = 0.0


class Members:
    """`changed(address, reason)` is called when an address is ejected; with the reason `""` when it is back."""

    def __init__(self, make: Callable[[Address], Pool], changed: Callable[[str, str], None]) -> None:
        self._make, self._changed = make, changed
        self.all: list[Member] = []
        self._ready: list[Member] = []
        self.retired: list[Pool] = []

    @property
    def ready(self) -> int:
        return sum(member.ejected_until is None for member in self.all)

    def set(self, addresses: list[Address]) -> None:
        """Replace the addresses. Requests in flight to others finish."""
        known = {member.address: member for member in self.all}
        kept = {address: known.pop(address) for address in addresses if address in known}
        self.all = [kept.get(address) or Member(address, self._make(address)) for address in addresses]
        gone = [member.pool for member in known.values()]
        for pool in gone:
            pool.retire()
        self.retired = [pool for pool in (*self.retired, *gone) if pool.stats.open]
        self._recount()

    def choose(self, avoided: Collection[str] = ()) -> Member:
        """Power of two choices: the less busy of two random addresses. If all gateways chose the least busy one of all,
        it would be overloaded."""
        ready = self._ready
        if avoided:
            others = [m for m in ready if m.address.host not in avoided]
            ready = others or [m for m in self.all if m.address.host not in avoided] or ready
        if len(ready) == 1:
            return ready[0]
        first = int(random.random() * len(ready))  # noqa: S311 - spreads the load
        second = (first + 1 + int(random.random() * (len(ready) - 1))) % len(ready)  # noqa: S311
        one, other = ready[first], ready[second]
        return one if one.pool.busy <= other.pool.busy else other

    def failed(self, member: Member, reason: str, now: float, *, at_once: bool = False) -> None:
        """Count a failed request or check of this address."""
        member.failures += 1
        if len(self.all) > 1 and member.ejected_until is None and (at_once or member.failures >= EJECT_AFTER):
            self._eject(member, reason, now)

    def answered(self, member: Member, status: int, now: float) -> None:
        member.failures = 0
        if status < 500:
            member.errors = 0
            return
        member.errors = (member.errors or 0) + 1
        others = [other for other in self._ready if other is not member]
        is_sick = member.errors >= SERVER_ERRORS and any(other.errors == 0 for other in others)
        if is_sick and member.ejected_until is None and 2 * len(others) >= len(self.all):
            self._eject(member, "status", now)

    def checked(self, member: Member, is_live: bool, now: float) -> None:
        """Count the outcome of a check; only a successful check readmits an ejected address."""
        member.failed_checks = 0 if is_live else member.failed_checks + 1
        if member.ejected_until is None:
            if member.failed_checks >= FAILED_CHECKS:
                self.failed(member, "check", now, at_once=True)
        elif now >= member.ejected_until:
            if is_live:
                member.ejected_until, member.failures, member.errors, member.returned_at = None, 0, 0, now
                self._recount()
                self._changed(member.address.host, "")
            else:
                member.ejected_until = now + EJECTED_SECONDS

    def _eject(self, member: Member, reason: str, now: float) -> None:
        member.ejections = 1 if now - member.returned_at > FORGIVEN_AFTER else member.ejections + 1
        member.ejected_until = now + min(EJECTED_SECONDS * 2 ** (member.ejections - 1), MAX_EJECTED_SECONDS)
        self._recount()
        self._changed(member.address.host, reason)

    def _recount(self) -> None:
        """If all addresses are ejected, use all: the fault is then the service's."""
        up = [member for member in self.all if member.ejected_until is None]
        self._ready = [member for member in up if member.address.is_preferred] or up or self.all
