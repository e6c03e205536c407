"""Our ASGI application in this process, with paths of the tests' own (`urls` below as ROOT_URLCONF)."""

from typing import Any

from asgiref.typing import HTTPScope
from django.http import HttpResponse
from django.urls import path

from common.http.application import Application
from common.http.problems import Problem
from common.http.request import Request
from common.http.response import RawResponse
from tools.testing.wire import Answer

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


def scope(target: str, method: str = "GET", headers: tuple[tuple[bytes, bytes], ...] = ()) -> HTTPScope:
    """What the server hands over for a request."""
    given, _, query = target.partition("?")
    fields = headers if any(name == b"host" for name, _ in headers) else ((b"host", b"testserver"), *headers)
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": given,
        "raw_path": given.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": list(fields),
        "server": ("127.0.0.1", 80),
        "client": ("192.0.2.7", 12345),
        "state": {},
        "extensions": {},
    }


async def call(
    target: str,
    method: str = "GET",
    headers: tuple[tuple[bytes, bytes], ...] = (),
    body: tuple[bytes, ...] = (),
    *,
    breaks_off: bool = False,
) -> Answer | None:
    """The answer of a fresh Application; None where it sent none. `body`: the chunks as they arrive."""
    messages: list[Any] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in body]
    messages.append({"type": "http.disconnect"} if breaks_off else {"type": "http.request", "body": b""})
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    await Application()(scope(target, method, headers), receive, send)
    if not sent:
        return None
    start, *rest = sent
    fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"]]
    return Answer(start["status"], fields, b"".join(message["body"] for message in rest))
