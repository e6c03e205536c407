"""Cycles that live long (a closed connection's) are not left to the collector's counts, which would let memory grow."""

import gc
import weakref
from collections.abc import Iterator

import pytest
from gunicorn.workers import gasgi

from common.server.worker import Worker


@pytest.fixture
def uncollected() -> Iterator[None]:
    """The collector does nothing by itself."""
    gc.disable()
    yield
    gc.enable()


class Node:
    """Refers to itself."""

    def __init__(self) -> None:
        self.me = self


def cycle() -> "weakref.ref[Node]":
    return weakref.ref(Node())


@pytest.mark.usefixtures("uncollected")
def test_cycles_are_searched_for_at_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gasgi.ASGIWorker, "notify", lambda self: None)
    running = Worker.__new__(Worker)
    running.connections, running.collect_at = set(), 0.0
    first = cycle()
    running.notify()
    assert first() is None
    second = cycle()
    running.notify()
    assert second() is not None, "each second would be too often"
    monkeypatch.setattr(running, "collect_at", 0.0)
    running.notify()
    assert second() is None
