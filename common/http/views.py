"""What views of both sites have in common: the methods they allow."""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse

from common.http.problems import Problem

View = Callable[..., Coroutine[Any, Any, HttpResponse]]


def method_not_allowed(allowed: str) -> Problem:
    """The 405 problem with `Allow` (RFC 9110 §15.5.6)."""
    return Problem("method-not-allowed", f"This path knows {allowed}.", headers=[(b"allow", allowed.encode())])


def allow(*methods: str) -> Callable[[View], View]:
    """Refuses every other method with a 405 problem and `Allow`."""
    allowed = ", ".join(methods)

    def decorate(view: View) -> View:
        @wraps(view)
        async def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if request.method not in methods:
                raise method_not_allowed(allowed)
            return await view(request, *args, **kwargs)

        return checked

    return decorate


safe = allow("GET", "HEAD")
