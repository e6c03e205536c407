"""Tasks that run from the start of the application to its stop."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from common.http import application
from common.http.application import Application
from tests.serving import logged


async def test_a_background_task_that_fails_is_logged_and_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "RESTART_SECONDS", 0.0)
    starts, is_running, stop = 0, asyncio.Event(), asyncio.Event()

    async def work() -> None:
        nonlocal starts
        starts += 1
        if starts == 1:
            raise ValueError("once")
        is_running.set()
        await asyncio.Event().wait()

    events = iter([asyncio.sleep(0), stop.wait()])  # startup, shutdown

    async def receive() -> MutableMapping[str, Any]:
        await next(events)
        return {}

    sent: list[str] = []

    async def send(message: Any) -> None:
        sent.append(message["type"])

    site: Any = Application((), probes={}, background=[work])
    with logged() as log:
        lifespan = asyncio.create_task(site({"type": "lifespan"}, receive, send))
        await asyncio.wait_for(is_running.wait(), 10)
        stop.set()
        await asyncio.wait_for(lifespan, 10)
    assert starts == 2
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    (line,) = [line for line in log if line["message"] == "background task failed"]
    assert (line["level"], line["error.message"]) == ("error", "once")
