"""What a rule finds."""

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Violation:
    """One thing a cluster would suffer from, and how to mend it."""

    object: str
    what: str
    why: str
    cure: str

    def __str__(self) -> str:
        return f"{self.object}: {self.what} — {self.why} — {self.cure}"
