"""A site built in this process with settings of a test's own.

`with built("users_site", REDIS_URL=store.url, DURABILITY="fsync") as application: answer = await call(application, "/users")`
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any
from unittest import mock
from urllib.parse import unquote

from asgiref.typing import HTTPScope
from django.conf import settings
from django.test import override_settings

from common.config import environment
from common.http.application import Application
from common.http.request import Request
from common.http.site import Site
from common.openapi import generate
from tests.pytest_environment import REQUIRED
from tests.wire import Answer

Fields = tuple[tuple[bytes, bytes], ...]


def evaluated(site: str, **given: str) -> dict[str, Any]:
    """What the site's settings module makes of an environment: `REQUIRED` and these. Raises SettingError."""
    with _own_secrets():
        return _evaluated(site, **given)


def _own_secrets() -> Any:
    """Secrets of a test must not mask the log lines of later tests."""
    return mock.patch.object(environment, "secrets", set(environment.secrets))


def _evaluated(site: str, **given: str) -> dict[str, Any]:
    names = ("common.config.settings", f"{site}.settings")
    kept = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    try:
        with mock.patch.dict(os.environ, {**REQUIRED, **given}, clear=True):
            module = import_module(f"{site}.settings")
    finally:
        sys.modules.update(kept)
    return {name: value for name, value in vars(module).items() if name.isupper() and name != "DATABASES"}


@contextmanager
def built(site: str, **given: str) -> Iterator[Application]:
    """The site's application under these settings, which hold in this process until the end."""
    with _own_secrets():
        found = _evaluated(site, **given)
        del found["INSTALLED_APPS"]  # the other site's app would register its checks for good
        changed = {name: value for name, value in found.items() if value != getattr(settings, name, ...)}
        _forget_schema()
        try:
            with override_settings(**changed):
                yield import_module(f"{site}.asgi").build(settings)
        finally:
            _forget_schema()


def _forget_schema() -> None:
    """The generated schema depends on the settings."""
    generate.schema.cache_clear()
    generate.text.cache_clear()


async def call(
    application: Any,
    target: str,
    method: str = "GET",
    headers: Fields = (),
    body: tuple[bytes, ...] = (),
    *,
    breaks_off: bool = False,
) -> Answer:
    """The application's answer, of status 0 if it sent none. `body`: the chunks as they arrive."""
    messages: list[Any] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in body]
    messages.append({"type": "http.disconnect"} if breaks_off else {"type": "http.request", "body": b""})
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    await application(scope(target, method, headers), receive, send)
    start, *rest = sent or [{"status": 0, "headers": []}]
    fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"]]
    return Answer(start["status"], fields, b"".join(message["body"] for message in rest))


def request(target: str = "/", method: str = "GET", headers: Fields = ()) -> Request:
    """A request without a body, at a site with the settings in force."""

    async def receive() -> Any:
        raise AssertionError("this request has no body")

    return Request(scope(target, method, headers), receive, Site(settings))


def scope(target: str, method: str = "GET", headers: Fields = ()) -> HTTPScope:
    """What the server hands over for a request."""
    given, _, query = target.partition("?")
    fields = headers if any(name == b"host" for name, _ in headers) else ((b"host", b"testserver"), *headers)
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(given),
        "raw_path": given.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": list(fields),
        "server": ("127.0.0.1", 80),
        "client": ("192.0.2.7", 12345),
        "state": {},
        "extensions": {},
    }
