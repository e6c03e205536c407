"""Cycles of closed connections are collected on a timer: by count they would be collected too late, and memory would grow."""

import gc
import os
import weakref
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn

from common.server.worker import COLLECT_TICKS, DrainingServer

pytestmark = pytest.mark.slow


@pytest.fixture
def uncollected() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


class Node:
    def __init__(self) -> None:
        self.me = self


def cycle() -> "weakref.ref[Node]":
    return weakref.ref(Node())


@pytest.mark.usefixtures("uncollected")
async def test_cycles_are_collected_every_ten_seconds() -> None:
    config = uvicorn.Config("tests.hanging:application")
    config.load()
    worker: Any = SimpleNamespace(config=config, alive=True, ppid=os.getppid(), notify=lambda: None)
    server = DrainingServer(worker, 0)
    first = cycle()
    await server.on_tick(1)
    assert first() is not None
    await server.on_tick(COLLECT_TICKS)
    assert first() is None
