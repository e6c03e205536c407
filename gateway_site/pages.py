"""The pages of the gateway: `/`, an index of links (or the status page, see status/), and `/problems`, the target of each
problem's `type`. The style sheet is inlined and allowed by its hash: no other file, no script, no other host."""

import base64
import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
from django.template.loader import render_to_string
from django.utils.safestring import mark_safe

from common.http.problem import KINDS
from common.http.request import Request
from common.http.response import JSON, RawResponse, Response
from common.http.views import safe

STYLE = (Path(__file__).parent / "assets/pages.css").read_text("utf-8")
DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest())

POLICY = (
    b"default-src 'none'; style-src 'sha256-%b'; img-src data:; base-uri 'none'; form-action 'none'; "
    b"frame-ancestors 'none'" % DIGEST
)

VARY = (b"vary", b"Accept")

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


def render(name: str, content: dict[str, Any]) -> bytes:
    style = mark_safe(STYLE)  # noqa: S308 - our own file
    return render_to_string(f"gateway/{name}.html", content | {"style": style}).encode()


def page(body: bytes) -> Response:
    """A rendered page with its security policy."""
    fields = [(b"content-type", b"text/html; charset=utf-8"), (b"content-security-policy", POLICY), VARY]
    return RawResponse(200, fields, body)


def document(content: object) -> Response:
    """The same for programs."""
    return RawResponse(200, [JSON, VARY], orjson.dumps(content))


@safe
async def index(request: Request) -> Response:
    """JSON for programs, a page of links for browsers."""
    content = {"service": request.site.service, "version": request.site.version, "links": LINKS}
    if not request.wants_page:
        return document(content)
    return page(render("index", content))


@safe
async def problems(request: Request) -> Response:
    """Every kind of problem and its cure: JSON for programs, a page for browsers."""
    if not request.wants_page:
        return document({"problems": [{"code": code, **asdict(kind)} for code, kind in KINDS.items()]})
    return page(render("problems", {"kinds": KINDS}))
