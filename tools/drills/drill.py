"""The interface of a drill."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from tools.drills.outcome import Outcome

Play = Callable[[Path], Awaitable[list[Outcome]]]


@dataclass(frozen=True, slots=True)
class Drill:
    """One drill; `is_quick`: it needs no root and runs in CI (all quick ones take under 3 minutes)."""

    name: str
    says: str
    play: Play
    is_quick: bool = True
