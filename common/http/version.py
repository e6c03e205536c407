"""GET /version: what runs here."""

import platform

import django
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from common.http.response import json_answer
from common.http.views import safe


def about() -> dict[str, str]:
    """The service, its version and revision, and what it stands on."""
    return {
        "service": settings.SERVICE,
        "version": settings.APP_VERSION,
        "revision": settings.APP_REVISION,
        "python": platform.python_version(),
        "django": django.get_version(),
    }


@safe
async def version(request: HttpRequest) -> HttpResponse:
    """The same for a client."""
    return json_answer(about())
