"""The checker explains histories that a register allows, and finds each planted violation."""

import math

import pytest

from tools.drills.register import Operation, is_linearizable


def read(start: float, end: float, name: str) -> Operation:
    return Operation("read", start, end, "done", name)


def write(start: float, end: float, name: str, expected: str | None = None) -> Operation:
    return Operation("write", start, end, "done", name, expected)


def lost(start: float, name: str, expected: str | None = None) -> Operation:
    """A write whose answer was lost."""
    return Operation("write", start, math.inf, "unknown", name, expected)


DELETED = Operation("delete", 1, 2, "done")
ABSENT = Operation("read", 3, 4, "absent")

ALLOWED = {
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
VIOLATIONS = {
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


@pytest.mark.parametrize("history", ALLOWED.values(), ids=ALLOWED)
def test_a_history_of_a_register_is_linearizable(history: list[Operation]) -> None:
    assert is_linearizable(history, "a")


@pytest.mark.parametrize("history", VIOLATIONS.values(), ids=VIOLATIONS)
def test_a_violation_is_found(history: list[Operation]) -> None:
    assert not is_linearizable(history, "a")
