"""Finds the route of a path: by dictionaries if it is fixed or ends in one segment, otherwise by its prefix."""

import re
from collections.abc import Callable, Iterable
from typing import Any

from common.http.routing import Match
from gateway_site.routes.table import REST, USERS, Route

UNCLEAN = re.compile(r"//|/\.\.? *(?:[/;]|\Z)|[\\\x00-\x1f\x7f]")
"""Paths that servers normalise in different ways (RFC 3986 §6.2.2.3, `..;` of Tomcat, `.. ` of Windows): they could
leave the prefix."""

_SEGMENT = re.compile(r"\{[a-z_]+\}")


class Matcher:
    """`views`: each route with its view. The cost of a look-up does not depend on the number of routes."""

    def __init__(self, views: Iterable[tuple[Route, Callable[..., Any]]]) -> None:
        self._fixed: dict[str, Match] = {}
        self._open: dict[str, Match] = {}
        self._below: dict[str, tuple[re.Pattern[str], list[Match]]] = {}
        for route, view in views:
            rest: list[tuple[str, Match]] = []
            for path, template in zip(route.paths, route.templates, strict=True):
                match, whole = Match(view, {}, template), route.prefix + path
                head, _, _ = whole.rpartition("/")
                if "{" not in whole and path != REST:
                    self._fixed[whole] = match
                elif "{" not in head and path != REST:
                    self._open[head] = match
                else:
                    rest.append((_pattern(path), match))
            if rest:
                rest.sort(key=lambda item: item[1].template.endswith("/{path}"))  # declared paths first
                pattern = re.compile("|".join(f"({pattern})" for pattern, _ in rest))
                self._below[route.prefix] = pattern, [match for _, match in rest]
        self._depths = sorted({prefix.count("/") for prefix in self._below})

    def find(self, path: str) -> Match | None:
        """The match of a decoded path, which has no encoded slash; None if the table has no route."""
        match = self._fixed.get(path)
        if match is not None:
            return match
        head, _, tail = path.rpartition("/")
        match = self._open.get(head) if tail else None
        if match is None:
            match = self._find_below(path)
        elif head == USERS or (tail[0] != "." and "\\" not in tail and tail.isprintable()):  # users normalises no path
            return match
        return None if match is None or UNCLEAN.search(path) else match

    def _find_below(self, path: str) -> Match | None:
        """Finds the route by the prefix, and the rest by the route's regular expression."""
        segments = path.split("/")
        for depth in self._depths:
            prefix = "/".join(segments[: depth + 1])
            if prefix in self._below:
                pattern, matches = self._below[prefix]
                found = pattern.fullmatch(path, len(prefix))
                return matches[found.lastindex - 1] if found and found.lastindex else None
        return None


def _pattern(path: str) -> str:
    """The pattern of a route's paths. It has no nested groups, so that the number of a group is that of its path."""
    return r"/[\s\S]*" if path == REST else "[^/]+".join(map(re.escape, _SEGMENT.split(path)))
