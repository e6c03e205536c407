"""Requests for tests that need no server."""

from common.http.request import Request
from tests import in_process


def request(*headers: tuple[str, str]) -> Request:
    """A request with these header fields, in this order."""
    fields = tuple((name.lower().encode(), value.encode("latin-1")) for name, value in headers)
    return in_process.request("/users", headers=fields)
