"""System checks of what both sites share. An ID and a hint each; `manage_*.py check` and the start run them."""

from collections.abc import Iterator
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils.module_loading import import_string


@register()
def thread_hops(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """A view or middleware that is not async would cost each request a thread hop of some 400 µs."""
    found: list[CheckMessage] = [
        Error(
            f"The view at '{route}' is synchronous",
            hint="make it an `async def`, or wrap its blocking part in asgiref.sync.sync_to_async",
            id="common.E001",
        )
        for route, view in views(get_resolver())
        if not iscoroutinefunction(view)
    ]
    return found + [
        Error(
            f"The middleware {path} would hop threads",
            hint="use a middleware with async_capable = True that is not built on MiddlewareMixin",
            id="common.E002",
        )
        for path in settings.MIDDLEWARE
        if middleware_hops(import_string(path))
    ]


def middleware_hops(middleware: Any) -> bool:
    """MiddlewareMixin says that it is async capable, and runs its hooks in a thread."""
    names = {base.__name__ for base in getattr(middleware, "__mro__", ())}
    return not getattr(middleware, "async_capable", False) or "MiddlewareMixin" in names


def views(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every view of the URLconf with its route."""
    for entry in resolver.url_patterns:
        if isinstance(entry, URLPattern):
            yield prefix + str(entry.pattern), entry.callback
        else:
            yield from views(entry, prefix + str(entry.pattern))
