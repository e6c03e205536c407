"""The content and the view of the status page, rendered at most once a second for all viewers."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

from common.http.health import versions
from common.http.pages import html, render
from common.http.request import Request
from common.http.response import Response
from common.http.site import Site
from common.http.views import safe
from common.observability.load import in_flight
from common.server import drain
from gateway_site import pages
from gateway_site.forwarding.circuit import State
from gateway_site.forwarding.router import Router
from gateway_site.forwarding.service import Service
from gateway_site.status import chart, formatting
from gateway_site.status.dependencies import Dependency, probe_all
from gateway_site.status.history import STEP_SECONDS, History, Interval

REFRESH_SECONDS = 5
NOW_SECONDS = 60.0
"""The period of the figures; over a shorter one the p99 of few requests jumps."""

KEPT_SECONDS = 1.0
"""The maximum age of a page: all viewers together cost the user service two requests a second."""

MAX_BODIES = 16

CIRCUIT = {
    State.CLOSED: ("up", "closed", "requests pass"),
    State.HALF_OPEN: ("warn", "half-open", "one request at a time tests whether the service is back"),
    State.OPEN: ("down", "open", "requests are refused with 503 while the service recovers"),
}


class StatusPage:
    """The view of `/`: JSON for programs; for browsers the page, which reloads on request only (`?live`; WCAG
    2.2.1)."""

    def __init__(self, router: Router, history: History, workers: int) -> None:
        self._router, self._history, self._workers = router, history, workers
        self._content: dict[str, Any] = {}
        self._bodies: dict[tuple[str, bool], bytes] = {}  # by the client's prefix, and whether it reloads
        self._until = 0.0
        self._rendering = asyncio.Lock()
        self.index = safe(self._index)

    @property
    def _users(self) -> Service:
        return self._router.services[self._router.table.users.upstream]

    async def _index(self, request: Request) -> Response:
        if not request.wants_page:
            response: Response = await pages.index(request)
            return response
        is_live = request.scope["query_string"] == b"live"
        key = request.origin.prefix, is_live
        async with self._rendering:
            if time.monotonic() >= self._until:
                self._content = self.describe(request.site, *await probe_all(self._users, self._router.probes))
                self._bodies.clear()
                self._until = time.monotonic() + KEPT_SECONDS
            if key not in self._bodies:
                if len(self._bodies) >= MAX_BODIES:
                    self._bodies.clear()
                links = pages.links(request)
                if not request.site.debug:
                    del links["users"]  # no page without the browsable API
                content = self._content | {"is_live": is_live, "links": links}
                self._bodies[key] = render("gateway/status.html", request, content)
            answer = html(self._bodies[key])
        if is_live:
            answer.raw_headers.append((b"refresh", b"%d" % REFRESH_SECONDS))
        return answer

    def describe(self, site: Site, dependencies: list[Dependency], version: dict[str, Any]) -> dict[str, Any]:
        """The template's context."""
        self._history.sample()
        intervals = self._history.intervals()
        circuits = {
            "circuit" if name == self._users.name else f"circuit of {name}": CIRCUIT[service.circuit.state]
            for name, service in self._router.services.items()
        }
        level, headline = verdict(dependencies, circuits)
        return {
            "service": site.service,
            "level": level,
            "headline": headline,
            "now": datetime.now(UTC).strftime("%H:%M:%S"),
            "refresh": REFRESH_SECONDS,
            "tiles": tiles(self._history.latest(NOW_SECONDS)),
            "charts": [
                ("Requests", (("all", "answered"), ("bad", "failed")), chart.rates(intervals)),
                ("Duration", (("all", "median"), ("high", "99 % within")), chart.durations(intervals)),
            ],
            "step": int(STEP_SECONDS),
            "workers": self._workers,
            "dependencies": [row(dependency) for dependency in dependencies],
            "circuits": circuits,
            "releases": [release for release in (versions(), version) if release],
            "uptime": self._history.uptime,
        }


def verdict(dependencies: list[Dependency], circuits: dict[str, tuple[str, str, str]]) -> tuple[str, str]:
    """The page's colour and its headline."""
    if drain.is_on():
        return "warn", "Draining: this process is about to stop"
    # What is down comes first: a store that is down explains why the user service is not ready.
    for dependency in sorted(dependencies, key=lambda dependency: dependency.state != "down"):
        if dependency.state != "up":
            return "warn" if dependency.state == "busy" else "down", f"{dependency.name} is {dependency.state}"
    for name, (level, state, _) in circuits.items():
        if level != "up":
            return level, f"The {name} is {state}"
    return "up", "Everything works"


def row(dependency: Dependency) -> dict[str, str]:
    answered = f"answered in {formatting.duration(dependency.seconds)}" if dependency.seconds is not None else ""
    level = {"up": "up", "down": "down"}.get(dependency.state, "warn")
    return {"name": dependency.name, "level": level, "state": dependency.state, "note": answered}


def tiles(last: Interval | None) -> list[tuple[str, str, str]]:
    """The figures of the last minute: name, value, unit."""
    median, slow = (last.quantile(share) if last else None for share in (0.5, 0.99))
    return [
        ("Requests", formatting.rate(last.rate if last else 0.0), "/s"),
        ("Median", *_parts(median)),
        ("99 % within", *_parts(slow)),
        ("Failed", formatting.rate(last.failure_share * 100 if last else 0.0), "%"),
        ("In flight", str(max(0, in_flight.count - 1)), ""),  # without the request for this page
    ]


def _parts(seconds: float | None) -> tuple[str, str]:
    if seconds is None:
        return formatting.NOTHING, ""
    value, _, unit = formatting.duration(seconds).partition(" ")
    return value, unit
