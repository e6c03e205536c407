"""The states of the upstreams, and of the store as the user service reports it."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from common.http.health import Step, state_of
from gateway_site.forwarding.service import Busy, Service


class Dependency(NamedTuple):
    """`state` is up, busy (no connection is free), not ready or down; `seconds` is the time to its answer, if any."""

    name: str
    state: str
    seconds: float | None = None


async def probe_all(users: Service, probes: Mapping[str, Step]) -> tuple[list[Dependency], dict[str, Any]]:
    """The current states (by `probes` for other upstreams), and the user service's /version. Never raises; takes less
    than a second."""
    others = [_ask(name, probe) for name, probe in probes.items() if name != users.name]
    (found, version), *further = await asyncio.gather(_ask_users(users), *others)
    return [*found, *further], version


async def _ask(name: str, probe: Step) -> Dependency:
    started = time.perf_counter()
    state = await state_of(probe)
    return Dependency(name, state, time.perf_counter() - started if state == "up" else None)


async def _ask_users(users: Service) -> tuple[list[Dependency], dict[str, Any]]:
    started = time.perf_counter()
    try:
        ready, version = await asyncio.gather(users.document(b"/health/ready"), users.document(b"/version"))
    except Busy:
        return [Dependency(users.name, "busy")], {}
    if ready is None:
        return [Dependency(users.name, "down")], {}
    state = "up" if ready.get("status") == "ready" else "not ready"
    behind = ready.get("dependencies")
    stores = behind.items() if isinstance(behind, dict) else ()
    first = Dependency(users.name, state, time.perf_counter() - started)
    return [first, *(Dependency(str(name), str(state)) for name, state in stores)], version or {}
