"""Our ASGI application with the tests' own paths."""

from typing import Any

from django.urls import path

from common.http.application import Application
from common.http.body import read_body
from common.http.request import Request
from common.http.response import RawResponse

SECRET = "hunter2-the-store-password"


async def boom(request: Request) -> Any:
    """Fails with a text that no client may read."""
    raise RuntimeError(f"no connection to redis://:{SECRET}@redis.internal:6379, key {{users:0}}:ids")


async def echo(request: Request) -> Any:
    return RawResponse(200, [(b"content-type", b"application/octet-stream")], await read_body(request))


def application() -> Application:
    return Application([path("boom", boom), path("echo", echo)], probes={})
