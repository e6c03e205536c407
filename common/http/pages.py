"""HTML pages: one style sheet, one header. No script; the style sheet is inlined and allowed by its hash."""

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import mark_safe

from common.http.request import Request
from common.http.response import RawResponse

HTML = (b"content-type", b"text/html; charset=utf-8")
VARY = (b"vary", b"Accept")


@cache
def _style() -> tuple[str, bytes]:
    text = (Path(__file__).parents[1] / "assets/pages.css").read_text("utf-8")
    return text, base64.b64encode(hashlib.sha256(text.encode()).digest())


def policy() -> tuple[bytes, bytes]:
    """The Content-Security-Policy of every page: our style sheets, and forms to this site."""
    rules = (
        b"default-src 'none'; style-src 'self' 'sha256-%b'; img-src data:; base-uri 'none'; form-action 'self'; "
        b"frame-ancestors 'none'"
    )
    return b"content-security-policy", rules % _style()[1]


def render(template: str, request: Request, content: dict[str, Any]) -> bytes:
    """A template that extends `common/base.html`."""
    return render_to_string(template, content | chrome(request)).encode()


def page(template: str, request: Request, content: dict[str, Any]) -> RawResponse:
    """A rendered template as an answer."""
    return html(render(template, request, content))


def html(body: bytes) -> RawResponse:
    """A rendered page as an answer."""
    return RawResponse(200, [HTML, policy(), VARY], body)


def chrome(request: Request) -> dict[str, Any]:
    """What `common/base.html` needs: the style sheet, and the links of the header as this client must address them."""
    site, prefix = request.site, request.origin.prefix
    links = {name: prefix + path for name, path in site.navigation}
    if prefix:
        links |= {name: prefix.rpartition("/")[0] + path for name, path in site.front}
    return {"style": mark_safe(_style()[0]), "navigation": links}  # noqa: S308 - our own file
