"""The state of the user service and of the store behind it, as the user service reports it."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from gateway_site.forwarding.service import Service


@dataclass(frozen=True, slots=True)
class Dependency:
    """`state` is up, not ready or down; `seconds` until its answer, if it answered."""

    name: str
    state: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """`version` is the user service's own /version."""

    dependencies: list[Dependency]
    version: dict[str, Any] = field(default_factory=dict)


async def look(users: Service) -> Look:
    """The state now. Never raises; bounded by service.PROBE_SECONDS."""
    started = time.perf_counter()
    ready, version = await asyncio.gather(users.document(b"/health/ready"), users.document(b"/version"))
    if ready is None:
        return Look([Dependency(users.name, "down")])
    state = "up" if ready.get("status") == "ready" else "not ready"
    behind = ready.get("dependencies")
    stores = behind.items() if isinstance(behind, dict) else ()
    first = Dependency(users.name, state, time.perf_counter() - started)
    return Look([first, *(Dependency(str(name), str(state)) for name, state in stores)], version or {})
