"""What the page shows, and the page: made at most once a second, however many look."""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from common.http.request import Request
from common.http.response import Response
from common.http.version import about
from common.http.views import safe
from common.observability.load import in_flight
from common.observability.metrics import samplers
from common.server import drain
from gateway_site import pages
from gateway_site.forwarding.circuit import State
from gateway_site.forwarding.user_service import circuit
from gateway_site.pages import LINKS, page, render
from gateway_site.status import chart, wording
from gateway_site.status.dependencies import Dependency, Look, look
from gateway_site.status.history import STEP_SECONDS, History, Interval

REFRESH_SECONDS = 5
NOW_SECONDS = 60.0
"""What the figures are taken over: shorter, and a p99 of few requests jumps."""

KEPT_SECONDS = 1.0
"""How old a page may be: a crowd of readers costs the user service two requests a second."""

CIRCUIT = {
    State.CLOSED: ("up", "closed", "requests pass"),
    State.HALF_OPEN: ("warn", "half-open", "one request at a time finds out whether the service is back"),
    State.OPEN: ("down", "open", "requests are refused with 503, the service gets room to recover"),
}

history = History()
samplers.append(history.sample)


@dataclass
class Kept:
    """The pages made last, by whether they load themselves again, until a time."""

    until: float = 0.0
    bodies: dict[bool, bytes] = field(default_factory=dict)


kept, making = Kept(), asyncio.Lock()


@safe
async def index(request: Request) -> Response:
    """JSON for programs; for browsers how it goes, anew every few seconds unless `?paused`."""
    if not request.wants_page:
        response: Response = await pages.index(request)
        return response
    async with making:
        if time.monotonic() >= kept.until:
            content = describe(await look())
            kept.bodies = {live: render("status", content | {"is_live": live}) for live in (True, False)}
            kept.until = time.monotonic() + KEPT_SECONDS
        return page(kept.bodies[b"paused" not in request.scope["query_string"]])


def describe(seen: Look) -> dict[str, Any]:
    """The template's context."""
    history.sample()
    intervals = history.intervals()
    level, headline = verdict(seen.dependencies)
    now = datetime.now(UTC)
    return {
        "service": settings.SERVICE,
        "level": level,
        "headline": headline,
        "now": now.strftime("%H:%M:%S"),
        "refresh": REFRESH_SECONDS,
        "tiles": tiles(history.latest(NOW_SECONDS)),
        "charts": [
            ("Requests", (("all", "answered"), ("bad", "failed")), chart.rates(intervals)),
            ("Duration", (("all", "median"), ("high", "99 % within")), chart.durations(intervals)),
        ],
        "step": int(STEP_SECONDS),
        "workers": settings.WEB_CONCURRENCY,
        "dependencies": [row(dependency) for dependency in seen.dependencies],
        "circuit": CIRCUIT[circuit.state],
        "releases": [release for release in (about(), seen.version) if release],
        "uptime": wording.age(history.uptime),
        "links": {name: path for name, path in LINKS.items() if settings.DEBUG or name != "users"},
    }


def verdict(dependencies: list[Dependency]) -> tuple[str, str]:
    """The page's colour and its first sentence."""
    if drain.is_on():
        return "warn", "Draining: this process is about to stop"
    # What is down behind the user service is why that one is not ready.
    for dependency in sorted(dependencies, key=lambda dependency: dependency.state != "down"):
        if dependency.state != "up":
            return "down", f"{dependency.name} is {dependency.state}"
    if circuit.state is not State.CLOSED:
        return CIRCUIT[circuit.state][0], f"The circuit is {CIRCUIT[circuit.state][1]}"
    return "up", "Everything works"


def row(dependency: Dependency) -> dict[str, str]:
    """A dependency as the table shows it."""
    answered = f"answered in {wording.duration(dependency.seconds)}" if dependency.seconds is not None else ""
    level = {"up": "up", "down": "down"}.get(dependency.state, "warn")
    return {"name": dependency.name, "level": level, "state": dependency.state, "note": answered}


def tiles(last: Interval | None) -> list[tuple[str, str, str]]:
    """The figures of the last minute: name, value, unit."""
    median, slow = (last.quantile(share) if last else None for share in (0.5, 0.99))
    return [
        ("Requests", wording.rate(last.rate if last else 0.0), "/s"),
        ("Median", *_parts(median)),
        ("99 % within", *_parts(slow)),
        ("Failed", wording.rate(last.failure_share * 100 if last else 0.0), "%"),
        ("In flight", str(max(0, in_flight.count - 1)), ""),  # without the request for this page
    ]


def _parts(seconds: float | None) -> tuple[str, str]:
    if seconds is None:
        return wording.NOTHING, ""
    value, _, unit = wording.duration(seconds).partition(" ")
    return value, unit
