"""A drill's figures and their bounds."""

from dataclasses import dataclass, field
from itertools import pairwise

from tools.drills.ledger import WRITES, Ledger, Verdict


@dataclass(frozen=True, slots=True)
class Bound:
    """A figure and its upper bound."""

    what: str
    value: float
    most: float

    @property
    def is_met(self) -> bool:
        return self.value <= self.most

    def __str__(self) -> str:
        return (
            f"{self.what} {self.value:g} ≤ {self.most:g}"
            if self.is_met
            else f"{self.what} {self.value:g} > {self.most:g}"
        )


@dataclass
class Outcome:
    """One row of the table."""

    name: str
    ledger: Ledger | None = None
    verdict: Verdict | None = None
    bounds: list[Bound] = field(default_factory=list)
    note: str = ""
    skipped: str = ""

    @property
    def is_passed(self) -> bool:
        return all(bound.is_met for bound in self.bounds)

    @property
    def bad(self) -> int:
        return sum(not event.is_good for event in self.ledger.events) if self.ledger else 0

    @property
    def bad_reads(self) -> int:
        events = self.ledger.events if self.ledger else []
        return sum(not event.is_good and event.method == "GET" for event in events)

    @property
    def lost(self) -> int:
        return len(self.verdict.lost) if self.verdict else 0

    @property
    def doubled(self) -> int:
        return len(self.verdict.doubled) if self.verdict else 0

    def outage(self, *, writes_only: bool = False) -> float:
        """The longest time without a good answer, in seconds, within the load."""
        events = self.ledger.events if self.ledger else []
        ends = [e.at for e in events]
        good = [e.at for e in events if e.is_good and (e.method in WRITES or not writes_only)]
        times = sorted([*good, min(ends), max(ends)]) if ends else []
        return max((later - earlier for earlier, later in pairwise(times)), default=0.0)

    def seconds_until_good(self, moment: float, *, writes_only: bool = False) -> float:
        """Seconds from a moment to the first good answer to a request sent after it."""
        events = self.ledger.events if self.ledger else []
        after = [e.at - moment for e in events if e.is_good and e.at - e.seconds >= moment]
        writes = [e.at - moment for e in events if e.is_good and e.method in WRITES and e.at - e.seconds >= moment]
        return min(writes if writes_only else after, default=99.0)

    def slowest(self, start: float, end: float) -> float:
        """The longest duration of a request sent between two moments, in seconds."""
        events = self.ledger.events if self.ledger else []
        return max((e.seconds for e in events if start <= e.at - e.seconds <= end), default=0.0)

    def require(self, what: str, value: float, most: float) -> None:
        self.bounds.append(Bound(what, round(value, 3), most))
