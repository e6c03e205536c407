"""Our ASGI application with paths of the tests' own."""

from django.http import HttpResponse
from django.urls import path

from common.http.application import Application
from common.http.problems import Problem
from common.http.request import Request
from common.http.response import RawResponse

SECRET = "hunter2-the-store-password"


async def boom(request: Request) -> HttpResponse:
    """Fails with what no client may read."""
    raise RuntimeError(f"no connection to redis://:{SECRET}@redis.internal:6379, key {{users:0}}:ids")


async def echo(request: Request) -> HttpResponse:
    """The body, given back."""
    return RawResponse(200, [(b"content-type", b"application/octet-stream")], await request.read_body())


async def named(request: Request, name: str) -> HttpResponse:
    """A path with a parameter."""
    return HttpResponse(name)


async def conflict(request: Request) -> HttpResponse:
    """A problem of the site's own."""
    raise Problem("email-taken", "Another user has this email.")


urlpatterns = [path("boom", boom), path("echo", echo), path("things/<str:name>", named), path("conflict", conflict)]


def application() -> Application:
    """An application with these paths."""
    return Application(urlpatterns, probes={})
