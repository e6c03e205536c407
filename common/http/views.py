"""What a view is, and the methods that it allows."""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

from common.http.problem import Problem
from common.http.request import Request
from common.http.response import Response

View = Callable[..., Coroutine[Any, Any, Any]]
"""Returns a Response. Django's type stubs accept only the HttpResponse in it."""


def method_not_allowed(allowed: str) -> Problem:
    """The 405 problem with `Allow` (RFC 9110 §15.5.6)."""
    return Problem("method-not-allowed", f"This path supports {allowed}.", headers=[(b"allow", allowed.encode())])


def safe(view: View) -> View:
    """Refuses every method but GET and HEAD."""

    @wraps(view)
    async def checked(request: Request, *args: Any, **kwargs: Any) -> Response:
        if request.method not in {"GET", "HEAD"}:
            raise method_not_allowed("GET, HEAD")
        response: Response = await view(request, *args, **kwargs)
        return response

    return checked
