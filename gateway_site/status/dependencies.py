"""What the user service says of itself: the one thing that the gateway depends on, and the store behind it."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway_site.forwarding.user_service import SERVICE, upstream
from packages.http_pool import UpstreamError

SECONDS = 0.8
"""Bound on both questions together."""


@dataclass(frozen=True, slots=True)
class Dependency:
    """`state` is up, not ready or down; `seconds` until its answer, where it gave one."""

    name: str
    state: str
    seconds: float | None = None
    release: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """One look at them; `version` is the user service's own."""

    dependencies: list[Dependency]
    version: dict[str, Any] = field(default_factory=dict)


async def look() -> Look:
    """Asks now; never raises, and is back within SECONDS."""
    started = time.perf_counter()
    ready, version = await asyncio.gather(_ask(b"/health/ready"), _ask(b"/version"))
    if ready is None:
        return Look([Dependency(SERVICE, "down")])
    state = "up" if ready.get("status") == "ready" else "not ready"
    behind = ready.get("dependencies")
    stores = behind.items() if isinstance(behind, dict) else ()
    seconds = time.perf_counter() - started
    first = Dependency(SERVICE, state, seconds, str((version or {}).get("version", "")))
    return Look([first, *(Dependency(str(name), str(state)) for name, state in stores)], version or {})


async def _ask(path: bytes) -> dict[str, Any] | None:
    """The JSON object at a path of the user service, whatever its status; None where there is none."""
    try:
        answer = await upstream.request(b"GET", path, [], timeout=SECONDS)
        await answer.aclose()  # what is too large to come whole is not read
        value = orjson.loads(answer.body or b"")
    except (UpstreamError, orjson.JSONDecodeError):
        return None
    return value if isinstance(value, dict) else None
