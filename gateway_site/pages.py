"""The gateway's own pages: `/`, an index of links, and `/problems`, which the `type` of every problem points to."""

from dataclasses import asdict

from django.conf import settings
from django.http import HttpResponse
from django.template.loader import render_to_string

from common.problems import KINDS
from common.request import Request
from common.response import RawResponse, json_answer
from common.views import safe

PAGE = [
    (b"content-type", b"text/html; charset=utf-8"),
    (b"content-security-policy", b"default-src 'none'; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"),
]

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


@safe
async def index(request: Request) -> HttpResponse:
    """What there is: JSON for programs, a small page for browsers."""
    content = {"service": settings.SERVICE, "version": settings.APP_VERSION, "links": LINKS}
    if not request.wants_page:
        return json_answer(content)
    return RawResponse(200, PAGE, render_to_string("gateway/index.html", content).encode())


@safe
async def problems(request: Request) -> HttpResponse:
    """Every kind of problem with what a client should do: JSON for programs, a page for browsers."""
    if not request.wants_page:
        return json_answer({"problems": [{"code": code, **asdict(kind)} for code, kind in KINDS.items()]})
    return RawResponse(200, PAGE, render_to_string("gateway/problems.html", {"kinds": KINDS}).encode())
