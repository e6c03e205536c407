"""A checker of linearizability: the algorithm of Wing and Gong with Lowe's memory of visited configurations.

An operation with an unknown outcome has no end: it may take effect at any later time, or never.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

State = str | None
Outcome = Literal["done", "failed", "absent", "unknown"]

MOST_STEPS = 2_000_000


class UndecidedError(Exception):
    """The history needs more than MOST_STEPS steps."""


class Step(Protocol):
    @property
    def start(self) -> float: ...
    @property
    def end(self) -> float: ...
    @property
    def outcome(self) -> Outcome: ...
    @property
    def name(self) -> str: ...
    def apply(self, state: State) -> tuple[bool, State]:
        """Whether the outcome is possible in this state, and the state afterwards."""


@dataclass(frozen=True, slots=True)
class Claim:
    """On one email; the state is the name of the user that has it, or None. `find`: `name` was found.

    `take` gives it to `name`; `failed` is a 409, `absent` a search that found nobody.
    """

    kind: Literal["find", "take", "release"]
    start: float
    end: float
    outcome: Outcome
    name: str

    def apply(self, state: State) -> tuple[bool, State]:
        if self.kind == "find":
            return state == (None if self.outcome == "absent" else self.name), state
        if self.kind == "release":
            return True, None if state == self.name else state
        is_free = state in {None, self.name}
        if self.outcome == "failed":
            return not is_free, state
        return is_free or self.outcome == "unknown", self.name if is_free else state


@dataclass(frozen=True, slots=True)
class Operation:
    """On one user; the state is the user's name, unique per write, or None after a deletion. `read`: `name` was read.

    `write` sets `name`, with `expected` only on that state (If-Match). `failed` is a 412, `absent` a 404.
    """

    kind: Literal["read", "write", "delete"]
    start: float
    end: float
    outcome: Outcome
    name: str = ""
    expected: str | None = None

    def apply(self, state: State) -> tuple[bool, State]:
        if self.outcome == "absent":
            return state is None, state
        if self.kind == "read":
            return state == self.name, state
        matches = state is not None and (self.expected is None or state == self.expected)
        if self.outcome == "failed":
            return state is not None and not matches, state
        if not matches:
            return self.outcome == "unknown", state
        return True, self.name if self.kind == "write" else None


def is_linearizable(history: Sequence[Step], state: State) -> bool:
    """Whether an order that is consistent with real time explains every outcome. Raises UndecidedError."""
    operations = sorted(history, key=lambda each: (each.start, each.end))
    wanted = sum(1 << index for index, each in enumerate(operations) if each.outcome != "unknown")
    stack: list[tuple[int, State]] = [(0, state)]
    seen = set(stack)
    steps = 0
    while stack:
        done, state = stack.pop()
        if done & wanted == wanted:
            return True
        # A stack: operations with a known outcome are taken first, those with the earliest end before others.
        for index in sorted(_candidates(operations, done), key=lambda index: operations[index].end, reverse=True):
            steps += 1
            is_possible, after = operations[index].apply(state)
            if operations[index].outcome == "unknown" and after == state:
                continue  # treat it as without effect: otherwise it would double the configurations
            configuration = (done | 1 << index, after)
            if is_possible and configuration not in seen:
                seen.add(configuration)
                stack.append(configuration)
        if steps > MOST_STEPS:
            raise UndecidedError
    return False


def _candidates(operations: list[Step], done: int) -> list[int]:
    """Pending operations that start before any pending operation ends."""
    found: list[int] = []
    first_end = math.inf
    for index, each in enumerate(operations):
        if each.start > first_end:
            break
        if not done >> index & 1:
            found.append(index)
            first_end = min(first_end, each.end)
    return found
