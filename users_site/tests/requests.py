"""Requests for tests that need no server."""

from typing import Any, cast

from common.http.request import Request


def request(*headers: tuple[str, str]) -> Request:
    """A request with these header fields, in this order."""
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "scheme": "http",
        "path": "/users",
        "raw_path": b"/users",
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
        "client": ("127.0.0.1", 1),
    }
    return Request(cast(Any, scope), cast(Any, None))
