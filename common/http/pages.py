"""HTML pages with one style sheet and one header, without scripts. The style sheet is inlined and allowed by its
hash."""

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
ORDER = ("home", "users", "docs", "problems")


@cache
def _style() -> tuple[str, bytes]:
    text = (Path(__file__).parents[1] / "assets/pages.css").read_text("utf-8")
    return text, base64.b64encode(hashlib.sha256(text.encode()).digest())


def policy(*, forms: bool = False) -> tuple[bytes, bytes]:
    """The Content-Security-Policy: no file of another host, no script. `forms` also allows this site's forms and style
    sheets."""
    rules = (
        b"default-src 'none'; style-src %b'sha256-%b'; img-src data:; base-uri 'none'; form-action %b; "
        b"frame-ancestors 'none'"
    )
    own = (b"'self' ", b"'self'") if forms else (b"", b"'none'")
    return b"content-security-policy", rules % (own[0], _style()[1], own[1])


def render(template: str, request: Request, content: dict[str, Any]) -> bytes:
    """A template that extends `common/base.html`."""
    return render_to_string(template, content | layout(request)).encode()


def page(template: str, request: Request, content: dict[str, Any]) -> RawResponse:
    return html(render(template, request, content))


def html(body: bytes) -> RawResponse:
    return RawResponse(200, [HTML, policy(), VARY], body)


def layout(request: Request) -> dict[str, Any]:
    """The context of `common/base.html`: the style sheet, and the links of the header with the client's prefix."""
    site, prefix = request.site, request.origin.prefix
    front = {name: prefix.rpartition("/")[0] + path for name, path in site.front if prefix}
    own = {name: prefix + path for name, path in site.navigation}
    links = {name: (own | front)[name] for name in ORDER if name in own | front}
    return {"service": site.service, "style": mark_safe(_style()[0]), "navigation": links}  # noqa: S308 - our own file
