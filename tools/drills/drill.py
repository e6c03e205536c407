"""The type of a drill."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from tools.drills.outcome import Outcome

Play = Callable[[Path], Awaitable[list[Outcome]]]


@dataclass(frozen=True, slots=True)
class Drill:
    """`is_quick`: CI runs it, without root."""

    name: str
    says: str
    play: Play
    is_quick: bool = True
