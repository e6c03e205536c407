"""Live, ready, drain: what an orchestrator asks.

`PROBES` in the site's settings names its dependencies: `{"redis": "users_site.repository.probe"}`, each an async callable
that returns when the dependency answers and raises when it does not. One probe = one dependency test.
"""

import asyncio
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from common.http.response import json_answer
from common.http.views import safe
from common.server import drain

READY_SECONDS = 0.9
"""Bound on all probes together; the contract promises an answer within 1 s."""


@safe
async def health(request: HttpRequest) -> HttpResponse:
    """Who answers here."""
    now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return json_answer(
        {"status": "healthy", "service": settings.SERVICE, "version": settings.APP_VERSION, "timestamp": now}
    )


@safe
async def live(request: HttpRequest) -> HttpResponse:
    """The process answers; asks no dependency, so that an outage of one restarts nobody."""
    return json_answer({"status": "alive"})


@safe
async def ready(request: HttpRequest) -> HttpResponse:
    """Every dependency answers within `READY_SECONDS`, and the process is not draining."""
    names = list(settings.PROBES)
    states = await asyncio.gather(*(_state(settings.PROBES[name]) for name in names))
    is_ready = all(state == "up" for state in states) and not drain.is_on()
    body = {
        "status": "ready" if is_ready else "not ready",
        "dependencies": dict(zip(names, states, strict=True)),
    }
    return json_answer(body, status=200 if is_ready else 503)


async def _state(dotted_path: str) -> str:
    module, _, name = dotted_path.rpartition(".")
    probe: Any = getattr(import_module(module), name)
    try:
        async with asyncio.timeout(READY_SECONDS):
            await probe()
    except Exception:
        return "down"
    return "up"
