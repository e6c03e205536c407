"""A row of the table: the clients' results in a drill, and the bounds of its figures."""

from dataclasses import dataclass, field
from itertools import pairwise

from tools.drills.ledger import WRITES, Ledger


@dataclass(frozen=True, slots=True)
class Bound:
    what: str
    value: float
    most: float

    @property
    def is_met(self) -> bool:
        return self.value <= self.most

    def __str__(self) -> str:
        return f"{self.what} {self.value:g} {'≤' if self.is_met else '>'} {self.most:g}"


@dataclass
class Outcome:
    name: str
    ledger: Ledger = field(default_factory=Ledger)
    bounds: list[Bound] = field(default_factory=list)
    lost: int = 0
    doubled: int = 0
    note: str = ""
    skipped: str = ""

    @property
    def is_passed(self) -> bool:
        return all(bound.is_met for bound in self.bounds)

    @property
    def bad(self) -> int:
        return sum(not event.is_good for event in self.ledger.events)

    @property
    def bad_reads(self) -> int:
        return sum(not event.is_good and event.method == "GET" for event in self.ledger.events)

    def _good(self, *, writes_only: bool) -> list[tuple[float, float]]:
        """The times of the good answers and of their requests."""
        events = self.ledger.events
        return [(e.at, e.at - e.seconds) for e in events if e.is_good and (e.method in WRITES or not writes_only)]

    def outage(self, *, writes_only: bool = False) -> float:
        """The longest time without a good answer, in seconds, within the load."""
        ends = [event.at for event in self.ledger.events]
        times = sorted([*(at for at, _ in self._good(writes_only=writes_only)), min(ends), max(ends)]) if ends else []
        return max((later - earlier for earlier, later in pairwise(times)), default=0.0)

    def seconds_until_good(self, moment: float, *, writes_only: bool = False) -> float:
        """Seconds from a moment to the first good answer to a request sent after it."""
        good = self._good(writes_only=writes_only)
        return min((at - moment for at, sent in good if sent >= moment), default=99.0)

    def slowest(self, start: float, end: float) -> float:
        """The longest duration of a request sent between two moments, in seconds."""
        return max((e.seconds for e in self.ledger.events if start <= e.at - e.seconds <= end), default=0.0)

    def require(self, what: str, value: float, most: float) -> None:
        self.bounds.append(Bound(what, round(value, 3), most))

    async def verify(self, port: int, *, may_lose: bool = False) -> None:
        """Compares the ledger with the store: no write is doubled, and none is lost unless it may be."""
        verdict = await self.ledger.verify(port)
        self.lost, self.doubled = len(verdict.lost), len(verdict.doubled)
        if may_lose:
            self.require("writes doubled", self.doubled, 0)
        else:
            self.require("writes lost or doubled", self.lost + self.doubled, 0)
