"""The pages of the gateway: `/`, an index of links (or the status page, see status/), `/problems`, the target of each
problem's `type`, and `/metrics`."""

from dataclasses import asdict

import orjson
from django.http import Http404

from common.http.pages import VARY, page
from common.http.problem import KINDS
from common.http.request import Request
from common.http.response import JSON, RawResponse, Response
from common.http.views import View, safe

LINKS = {
    "users": "/api/users",
    "docs": "/api/docs",
    "schema": "/api/openapi.json",
    "problems": "/problems",
    "health": "/health",
    "live": "/health/live",
    "ready": "/health/ready",
    "metrics": "/metrics",
    "version": "/version",
}


def links(request: Request) -> dict[str, str]:
    """The paths as this client must address them."""
    return {name: request.origin.prefix + path for name, path in LINKS.items()}


def document(content: object) -> Response:
    return RawResponse(200, [JSON, VARY], orjson.dumps(content))


@safe
async def index(request: Request) -> Response:
    content = {"service": request.site.service, "version": request.site.version, "links": links(request)}
    if not request.wants_page:
        return document(content)
    return page("gateway/index.html", request, content)


@safe
async def problems(request: Request) -> Response:
    """Every kind of problem and its cure: JSON for programs, a page for browsers."""
    if not request.wants_page:
        return document({"problems": [{"code": code, **asdict(kind)} for code, kind in KINDS.items()]})
    return page("gateway/problems.html", request, {"kinds": KINDS})


PROXIED = (b"x-forwarded-for", b"forwarded", b"x-real-ip")
"""Fields that proxies add. The peer's address would not do: TRUSTED_PROXIES is often the network of all pods."""


def closed_to_proxies(metrics: View) -> View:
    """The view, with 404 for a request through a proxy: metrics show traffic, versions and load, and scrapers connect
    directly."""

    @safe
    async def scrape(request: Request) -> Response:
        if any(name in request.raw_headers for name in PROXIED):
            raise Http404
        response: Response = await metrics(request)
        return response

    return scrape
