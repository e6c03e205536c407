"""/static/… with DEBUG: the styles and scripts of the browsable API, from the installed packages."""

import mimetypes
from pathlib import Path

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.staticfiles import finders
from django.http import Http404
from django.urls import URLPattern, path

from common.http.request import Request
from common.http.response import RawResponse
from common.http.views import safe


@safe
async def static(request: Request, name: str) -> RawResponse:
    """One file of an installed app's `static` folder. Raises Http404, SuspiciousFileOperation (400)."""
    content = await sync_to_async(_read, thread_sensitive=False)(name)
    content_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return RawResponse(200, [(b"content-type", content_type.encode())], content)


def _read(name: str) -> bytes:
    found = finders.find(name)
    # The finders ignore a trailing slash.
    if not isinstance(found, str) or not Path(found).is_file() or name.endswith("/"):
        raise Http404
    return Path(found).read_bytes()


def urlpatterns() -> list[URLPattern]:
    return [path("static/<path:name>", static)] if settings.DEBUG else []
