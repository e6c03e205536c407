"""A checker of linearizability for one user: the algorithm of Wing and Gong with Lowe's memory of visited configurations.

The state is the user's name, unique per write, or None after a deletion. An operation with an unknown outcome has no end: it
may take effect at any later time, or never.
"""

import math
from dataclasses import dataclass
from typing import Literal

State = str | None
Outcome = Literal["done", "failed", "absent", "unknown"]

MOST_STEPS = 2_000_000


class UndecidedError(Exception):
    """The history needs more than MOST_STEPS steps."""


@dataclass(frozen=True, slots=True)
class Operation:
    """`read`: `name` is the name that was read. `write`: sets `name`, with `expected` only on that state (If-Match).

    `failed` is a 412, `absent` a 404.
    """

    kind: Literal["read", "write", "delete"]
    start: float
    end: float
    outcome: Outcome
    name: str = ""
    expected: str | None = None

    def apply(self, state: State) -> tuple[bool, State]:
        """Whether the outcome is possible in this state, and the state afterwards."""
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


def is_linearizable(history: list[Operation], state: State) -> bool:
    """Whether one order, consistent with real time, explains every outcome. Raises UndecidedError."""
    operations = sorted(history, key=lambda each: (each.start, each.end))
    wanted = sum(1 << index for index, each in enumerate(operations) if each.outcome != "unknown")
    stack: list[tuple[int, State]] = [(0, state)]
    seen = set(stack)
    steps = 0
    while stack:
        done, state = stack.pop()
        if done & wanted == wanted:
            return True
        # Pushed last, taken first: operations with a known outcome, the earliest end first.
        for index in sorted(_candidates(operations, done), key=lambda index: operations[index].end, reverse=True):
            steps += 1
            is_possible, after = operations[index].apply(state)
            configuration = (done | 1 << index, after)
            if is_possible and configuration not in seen:
                seen.add(configuration)
                stack.append(configuration)
        if steps > MOST_STEPS:
            raise UndecidedError
    return False


def _candidates(operations: list[Operation], done: int) -> list[int]:
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
