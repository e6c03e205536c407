"""The checker explains histories that a register allows, and finds each planted violation."""

import math

import pytest

from tools.drills.register import Claim, Operation, Step, is_linearizable


def read(start: float, end: float, name: str) -> Operation:
    return Operation("read", start, end, "done", name)


def write(start: float, end: float, name: str, expected: str | None = None) -> Operation:
    return Operation("write", start, end, "done", name, expected)


def lost(start: float, name: str, expected: str | None = None) -> Operation:
    """A write whose answer was lost."""
    return Operation("write", start, math.inf, "unknown", name, expected)


DELETED = Operation("delete", 1, 2, "done")
ABSENT = Operation("read", 3, 4, "absent")

ALLOWED: dict[str, list[Step]] = {
    "nothing": [],
    "concurrent writes in either order": [write(0, 3, "b"), write(1, 2, "c"), read(4, 5, "b")],
    "a read during a write sees the old name": [write(0, 3, "b"), read(1, 2, "a")],
    "a lost write takes effect late": [lost(0, "b"), read(1, 2, "a"), read(3, 4, "b")],
    "a lost write never takes effect": [lost(0, "b"), read(5, 6, "a")],
    "a lost conditional write comes too late": [lost(0, "b", "a"), write(1, 2, "c"), read(3, 4, "c")],
    "a condition fails after a concurrent write": [
        write(0, 3, "b"),
        Operation("write", 1, 2, "failed", "c", "a"),
    ],
    "a deletion": [DELETED, ABSENT],
}
VIOLATIONS: dict[str, list[Step]] = {
    "stale read": [write(0, 1, "b"), read(2, 3, "a")],
    "lost update": [write(0, 1, "b", "a"), write(2, 3, "c", "a")],
    "a name that went back": [write(0, 1, "b"), write(2, 3, "c"), read(4, 5, "b")],
    "a lost write that comes and goes": [lost(0, "b"), read(1, 2, "b"), read(3, 4, "a")],
    "a lost write that is made twice": [lost(0, "b"), read(1, 2, "b"), write(3, 4, "c"), read(5, 6, "b")],
    "a 412 although the condition held": [Operation("write", 0, 1, "failed", "b", "a")],
    "a read after a deletion": [DELETED, read(3, 4, "a")],
    "a 404 of a user that is there": [ABSENT],
    "a refused write that was made": [read(0, 1, "b")],
}


TAKEN, REFUSED = Claim("take", 0, 1, "done", "a"), Claim("take", 2, 3, "failed", "b")
RELEASED, LOST = Claim("release", 2, 3, "done", "a"), Claim("take", 0, math.inf, "unknown", "a")
ALLOWED_CLAIMS: dict[str, list[Step]] = {
    "taken, then refused": [TAKEN, REFUSED],
    "taken again by its holder": [TAKEN, Claim("take", 2, 3, "done", "a")],
    "released, then taken": [TAKEN, RELEASED, Claim("take", 4, 5, "done", "b")],
    "released by another, still refused": [TAKEN, Claim("release", 1, 2, "done", "c"), REFUSED],
    "a lost take refuses another": [LOST, REFUSED],
    "found by nobody, then by its holder": [Claim("find", 0, 1, "absent", ""), LOST, Claim("find", 2, 3, "done", "a")],
}
CLAIM_VIOLATIONS: dict[str, list[Step]] = {
    "two holders": [TAKEN, Claim("take", 2, 3, "done", "b")],
    "refused though free": [TAKEN, RELEASED, Claim("take", 4, 5, "failed", "b")],
    "lost": [TAKEN, Claim("find", 2, 3, "absent", "")],
    "stale": [TAKEN, RELEASED, Claim("find", 4, 5, "done", "a")],
}


@pytest.mark.parametrize("history", (ALLOWED | ALLOWED_CLAIMS).values(), ids=ALLOWED | ALLOWED_CLAIMS)
def test_a_history_of_a_register_is_linearizable(history: list[Step]) -> None:
    assert is_linearizable(history, "a" if history in ALLOWED.values() else None)


@pytest.mark.parametrize("history", (VIOLATIONS | CLAIM_VIOLATIONS).values(), ids=VIOLATIONS | CLAIM_VIOLATIONS)
def test_a_violation_is_found(history: list[Step]) -> None:
    assert not is_linearizable(history, "a" if history in VIOLATIONS.values() else None)


def test_unknown_operations_without_effect_do_not_multiply_the_orders() -> None:
    history: list[Step] = [TAKEN, RELEASED]
    history += [Claim("release", 2, math.inf, "unknown", "a") for _ in range(40)]
    assert not is_linearizable([*history, Claim("find", 4, 5, "done", "b")], None)
