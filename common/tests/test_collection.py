"""Cycles of closed connections are collected on a timer: by count they would be collected too late, and memory would grow."""

import gc
import os
import weakref
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn

from common.server.worker import DrainingServer

pytestmark = pytest.mark.slow


class Node:
    def __init__(self) -> None:
        self.me = self


async def test_cycles_are_collected_every_ten_seconds() -> None:
    config = uvicorn.Config("tests.hanging:application")
    config.load()
    worker: Any = SimpleNamespace(config=config, alive=True, ppid=os.getppid(), notify=lambda: None)
    server = DrainingServer(worker, 0)
    gc.disable()
    try:
        cycle = weakref.ref(Node())
        await server.on_tick(1)
        assert cycle() is not None
        await server.on_tick(100)  # uvicorn ticks ten times a second
        assert cycle() is None
    finally:
        gc.enable()
