"""The state of the user service and of the store behind it, as the user service reports it."""

import asyncio
import time
from typing import Any, NamedTuple

from gateway_site.forwarding.service import Service


class Dependency(NamedTuple):
    """`state` is up, not ready or down; `seconds` until its answer, if it answered."""

    name: str
    state: str
    seconds: float | None = None


async def look(users: Service) -> tuple[list[Dependency], dict[str, Any]]:
    """The states now, and the user service's /version. Never raises; bounded by service.PROBE_SECONDS."""
    started = time.perf_counter()
    ready, version = await asyncio.gather(users.document(b"/health/ready"), users.document(b"/version"))
    if ready is None:
        return [Dependency(users.name, "down")], {}
    state = "up" if ready.get("status") == "ready" else "not ready"
    behind = ready.get("dependencies")
    stores = behind.items() if isinstance(behind, dict) else ()
    first = Dependency(users.name, state, time.perf_counter() - started)
    return [first, *(Dependency(str(name), str(state)) for name, state in stores)], version or {}
