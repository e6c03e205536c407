"""GET /version."""

import platform

import django
from django.conf import settings

from common.http.request import Request
from common.http.response import RawResponse, json_answer
from common.http.views import safe


def versions() -> dict[str, str]:
    """The versions of the service, of Python and of Django."""
    return {
        "service": settings.SERVICE,
        "version": settings.APP_VERSION,
        "revision": settings.APP_REVISION,
        "python": platform.python_version(),
        "django": django.get_version(),
    }


@safe
async def version(request: Request) -> RawResponse:
    return json_answer(versions())
