"""What a drill is, for those in scenarios/ and for who runs them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from tools.drills.outcome import Outcome

Play = Callable[[Path], Awaitable[list[Outcome]]]


@dataclass(frozen=True, slots=True)
class Drill:
    """One drill; `is_quick`: it needs no root and is among those that CI runs (under 3 minutes all together)."""

    name: str
    says: str
    play: Play
    is_quick: bool = True
