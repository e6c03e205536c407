"""The schema and its page: `/openapi.json`, `/openapi.yaml`, `/docs` (Swagger UI from local files).

The generator, which takes 8 MB, is imported for the first request of a schema.
"""

from collections.abc import Callable, Hashable
from pathlib import Path

from asgiref.sync import sync_to_async
from django.http import Http404
from django.urls import URLPattern, path

from common.http.pages import HTML, render
from common.http.request import Request
from common.http.response import RawResponse
from common.http.views import View, safe

TYPES = {"json": b"application/json", "yaml": b"application/yaml"}

ASSETS = {
    "swagger-ui.css": b"text/css; charset=utf-8",
    "swagger-ui-bundle.js": b"text/javascript; charset=utf-8",
    "favicon-32x32.png": b"image/png",
}
"""The page's files from the sidecar package."""

OWN = {"docs.css": b"text/css; charset=utf-8", "start.js": b"text/javascript; charset=utf-8"}
"""Our own files: the policy allows no inline script."""

POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    b"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def schema(form: str, given: Callable[[], tuple[Hashable, ...]]) -> View:
    """The view that serves the schema as `json` or `yaml`. Generates it in a thread, again when `given` changes."""

    @safe
    async def view(request: Request) -> RawResponse:
        from common.openapi.generate import text

        content = await sync_to_async(text, thread_sensitive=False)(form, *given())
        return RawResponse(200, [(b"content-type", TYPES[form])], content)

    return view


@safe
async def docs(request: Request) -> RawResponse:
    return RawResponse(200, [HTML, (b"content-security-policy", POLICY)], render("common/docs.html", request, {}))


@safe
async def asset(request: Request, name: str) -> RawResponse:
    """A file of the page. Raises Http404."""
    types = ASSETS | OWN
    if name not in types:
        raise Http404
    content = await sync_to_async(_read, thread_sensitive=False)(name)
    return RawResponse(200, [(b"content-type", types[name]), (b"cache-control", b"max-age=3600")], content)


def _read(name: str) -> bytes:
    if name in OWN:
        return (Path(__file__).resolve().parents[1] / "assets" / name).read_bytes()
    import drf_spectacular_sidecar

    folder = Path(drf_spectacular_sidecar.__file__).parent / "static/drf_spectacular_sidecar/swagger-ui-dist"
    return (folder / name).read_bytes()


def urlpatterns(prefix: str = "", given: Callable[[], tuple[Hashable, ...]] = tuple) -> list[URLPattern]:
    """The paths, below a prefix like `api/`. `given`: the argument of the site's `finish`."""
    return [
        path(f"{prefix}openapi.json", schema("json", given)),
        path(f"{prefix}openapi.yaml", schema("yaml", given)),
        path(f"{prefix}docs", docs),
        path(f"{prefix}docs/<str:name>", asset),
    ]
