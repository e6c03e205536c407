"""Health, liveness, readiness and versions of a service."""

import asyncio
import platform
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime

import django
from django.conf import settings

from common.http.request import Request
from common.http.response import RawResponse, json_answer
from common.http.views import View, safe
from common.server import drain

Step = Callable[[], Awaitable[None]]

READY_SECONDS = 0.9
"""Bound on all probes together; the contract promises an answer within 1 s."""


@safe
async def health(request: Request) -> RawResponse:
    now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    site = request.site
    return json_answer({"status": "healthy", "service": site.service, "version": site.version, "timestamp": now})


@safe
async def live(request: Request) -> RawResponse:
    """The process answers. It queries no dependency, so that an outage of one does not restart processes."""
    return json_answer({"status": "alive"})


def ready(probes: Mapping[str, Step], enough: Callable[[Iterable[bool]], bool]) -> View:
    """The view that answers 200 when `enough` (all, any) probes return within `READY_SECONDS` and the process is not draining.

    `probes` may change.
    """

    @safe
    async def view(request: Request) -> RawResponse:
        names = list(probes)
        states = await asyncio.gather(*(state_of(probes[name]) for name in names))
        is_ready = enough(state == "up" for state in states) and not drain.is_on()
        body = {
            "status": "ready" if is_ready else "not ready",
            "dependencies": dict(zip(names, states, strict=True)),
        }
        return json_answer(body, status=200 if is_ready else 503)

    return view


async def state_of(probe: Step) -> str:
    try:
        async with asyncio.timeout(READY_SECONDS):
            await probe()
    except Exception:
        return "down"
    return "up"


def versions() -> dict[str, str]:
    return {
        "service": settings.SERVICE,
        "version": settings.APP_VERSION,
        "revision": settings.APP_REVISION,
        "python": platform.python_version(),
        "django": django.get_version(),
    }


@safe
async def version(request: Request) -> RawResponse:
    return json_answer(versions())
