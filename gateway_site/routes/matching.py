"""Finds the route of a path: by two dictionaries where it is fixed or ends in one segment, else by a regular expression."""

import re
from collections.abc import Callable, Iterable
from typing import Any

from common.http.routing import Match
from gateway_site.routes.table import REST, USERS, Route

UNCLEAN = re.compile(r"//|/\.\.?(?:[/;]|\Z)|[\\\x00-\x1f\x7f]")
"""What servers read in different ways (RFC 3986 §6.2.2.3, `..;` of Tomcat): it could leave the prefix at the upstream."""

_SEGMENT = re.compile(r"\{[a-z_]+\}")


class Matcher:
    """`views`: each route with its view."""

    def __init__(self, views: Iterable[tuple[Route, Callable[..., Any]]]) -> None:
        self._fixed: dict[str, Match] = {}
        self._open: dict[str, Match] = {}
        rest: list[tuple[str, Match]] = []
        for route, view in views:
            for path, template in zip(route.paths, route.templates, strict=True):
                match, whole = Match(view, {}, template), route.prefix + path
                head, _, _ = whole.rpartition("/")
                if "{" not in whole and path != REST:
                    self._fixed[whole] = match
                elif "{" not in head and path != REST:
                    self._open[head] = match
                else:
                    rest.append((_pattern(whole), match))
        rest.sort(key=lambda item: item[1].template.endswith("/{path}"))  # declared paths first
        self._rest = [match for _, match in rest]
        self._pattern = re.compile("|".join(f"({pattern})" for pattern, _ in rest) or r"(?!)")

    def find(self, path: str) -> Match | None:
        """The match of a decoded path, whose encoded slashes were refused; None where the table has no route."""
        match = self._fixed.get(path)
        if match is not None:
            return match
        head, _, tail = path.rpartition("/")
        match = self._open.get(head) if tail else None
        if match is None:
            found = self._pattern.fullmatch(path)
            if found is None or found.lastindex is None:
                return None
            match = self._rest[found.lastindex - 1]
        elif (tail[0] != "." and "\\" not in tail) or head == USERS:  # the user service normalises no path
            return match
        return None if UNCLEAN.search(path) else match


def _pattern(path: str) -> str:
    """Without nested groups, so that the number of the group is that of the match."""
    path, rest = path.removesuffix(REST), r"/[\s\S]*" if path.endswith(REST) else ""
    return "[^/]+".join(map(re.escape, _SEGMENT.split(path))) + rest
