"""Makes a table from a source, and refuses what would not work: one line with the place and the cure."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway_site.routes import values
from gateway_site.routes.source import Malformed, Source, content, read
from gateway_site.routes.table import ANY, OPEN, USER_SERVICE, USERS, Route, Table, Upstream, scopes_of

OWN_PATHS = (
    "/health",
    "/metrics",
    "/version",
    "/problems",
    "/static",
    "/api/docs",
    "/api/openapi.json",
    "/api/openapi.yaml",
)
"""Paths that the gateway answers itself."""

MOST = 1000
MAX_STREAMS = 256
"""The default of an upstream with streams: half of the 1,024 open files that are usual."""


@dataclass(frozen=True)
class OwnAddress:
    """The gateway's own addresses: its port on this machine and under its `names`, and its public address.

    `has_neighbours`: whether other ports of this machine may be upstreams.
    """

    port: int
    names: frozenset[str] = frozenset()
    public: tuple[str, int] = ("", 0)
    has_neighbours: bool = True

    def is_at(self, host: str, port: int) -> bool:
        is_here = values.is_loopback(host) or host in self.names
        return (is_here and port == self.port) or (host, port) == self.public


def table(
    text: str, user_service_url: str, route: Mapping[str, Any], upstream: Mapping[str, Any], own: OwnAddress
) -> Table:
    """The table of ROUTES (`text`), with the users' route if it has none.

    `route` and `upstream`: the defaults of fields. `own`: the gateway's addresses. Raises Malformed.
    """
    source = read(text) if text else Source([])
    made = Reader(source, route, upstream)
    if user_service_url and all(route.prefix != USERS for route in made.routes):
        source.places[len(made.routes)] = "USER_SERVICE_URL"
        made.add(len(made.routes), {"prefix": USERS, "upstream": user_service_url, "rewrite": "/users"})
    if all(route.prefix != USERS for route in made.routes):
        raise Malformed(f"no route has the prefix {USERS}: add one, or set USER_SERVICE_URL")
    made.check(own)
    return Table(tuple(made.routes), made.upstreams, tuple(sorted(made.scopes)), tuple(made.files))


class Reader:
    """Collects the routes and upstreams of a source."""

    def __init__(self, source: Source, route: Mapping[str, Any], upstream: Mapping[str, Any]) -> None:
        self.source, self.route, self.upstream = source, route, upstream
        self.routes: list[Route] = []
        self.upstreams: dict[str, Upstream] = {}
        self.files: list[Path] = []
        for what, found in (("routes", source.routes), ("upstreams", source.upstreams)):
            if len(found) > MOST:
                raise Malformed(f"there are {len(found)} {what}: list at most {MOST}")
        for name, given in source.upstreams.items():
            fields = self._parsed(name, given, values.UPSTREAM)
            fields |= self._parsed(name, {"name": name}, {"name": values.name})
            if "url" not in fields:
                raise self._fault(name, f"upstream {name} has no url: set it to an address like http://{name}:3002")
            if "tls" in fields and fields["url"].startswith("http:"):
                raise self._fault(name, f"upstream {name} has tls, but its url is not https: change one of them")
            self.upstreams[name] = Upstream(**{**upstream, **fields})
            self.files += fields["tls"].files if "tls" in fields else ()
        try:
            self.scopes = {*values.listed(values.scope)(source.scopes)}
        except ValueError as error:
            raise Malformed(f"scopes: set it to a list of scopes ({error})") from None
        for number, given in enumerate(source.routes):
            self.add(number, given)

    def add(self, number: int, given: Any) -> None:
        fields = self._parsed(number, given, values.ROUTE)
        prefix, upstream = fields.get("prefix"), fields.get("upstream")
        if not prefix or not upstream:
            raise self._fault(number, "the route has no prefix or no upstream: set both")
        if "/" in upstream:
            fields["upstream"] = self._upstream_at(prefix, upstream)
        if prefix == USERS:
            fields = {"paths": ("", "/{id}"), **fields}
        fields.setdefault("rewrite", f"/{prefix.rpartition('/')[2]}")
        fields["scopes"] = scopes_of(prefix, fields.get("scopes", {}))
        self.scopes |= {*scopes_of(prefix).values()}
        route = Route(**{**self.route, **fields})
        for name in route.upstreams if route.stream or route.websocket else ():
            if name in self.upstreams and not self.upstreams[name].max_streams:
                self.upstreams[name] = replace(self.upstreams[name], max_streams=MAX_STREAMS)
        self.routes.append(self._described(number, route) if route.schema else route)

    def _described(self, number: int, route: Route) -> Route:
        """The route with the text of the schema that it names."""
        from gateway_site.routes import openapi  # loaded for a schema only

        try:
            if route.prefix == USERS:
                raise Malformed("the gateway describes users itself: remove it")
            path = self.source.folder / route.schema
            text = content(path, "mount the service's schema, or leave it out")
            self.files.append(path)
            described = replace(route, schema=text)
            openapi.check(described)
        except Malformed as error:
            raise self._fault(number, f"schema {route.schema}: {error}") from None
        return described

    def _upstream_at(self, prefix: str, url: str) -> str:
        """The name of the upstream for a URL that a route gives instead of a name."""
        parts = urlsplit(url)
        first, health = (USER_SERVICE, "/health/live") if prefix == USERS else (str(parts.hostname), "")
        for name in (first, parts.netloc.lower()):
            made = Upstream(**{**self.upstream, "name": name, "url": url, "health": health})
            if self.upstreams.setdefault(name, made).url == url:
                return name
        raise Malformed(f"two upstreams are called {parts.netloc}: give one another name in upstreams")

    def _parsed(self, key: int | str, given: Any, parsers: Mapping[str, Callable[[Any], Any]]) -> dict[str, Any]:
        if not isinstance(given, dict):
            raise self._fault(key, f"{json.dumps(given, default=str)[:60]} is no table: give it fields")
        fields = {}
        for name, value in given.items():
            if name not in parsers:
                close = get_close_matches(str(name), parsers, 1)
                cure = f"did you mean {close[0]}?" if close else f"the fields are {', '.join(parsers)}"
                raise self._fault(key, f"unknown field {name!r}: {cure}")
            try:
                fields[name] = parsers[name](value)
            except ValueError as error:
                raise self._fault(key, f"{name} is {json.dumps(value, default=str)[:60]}: set it to {error}") from None
        return fields

    def _fault(self, key: int | str, text: str) -> Malformed:
        return Malformed(f"{self.source.place(key)}: {text}")

    def check(self, own: OwnAddress) -> None:
        """Checks the table as a whole. Raises Malformed."""
        holders: dict[str, str] = {}
        for number, route in enumerate(self.routes):
            heads = _heads(route.prefix)
            other = holders.get(route.prefix) or next((each for each in heads if holders.get(each) == each), None)
            if fault := self._fault_of(route, other, own):
                raise self._fault(number, fault)
            holders |= dict.fromkeys(heads, route.prefix)

    def _fault_of(self, route: Route, other: str | None, own: OwnAddress) -> str | None:
        prefix = route.prefix
        if hidden := next((path for path in OWN_PATHS if is_below(path, prefix) or is_below(prefix, path)), None):
            return (
                f"{prefix} would hide {hidden}, which the gateway answers itself: use another prefix, e.g. /api/orders"
            )
        if other:
            return f"{prefix} and {other} overlap: give one of them another prefix"
        if (route.stream or route.websocket) and (route.compress or route.cache):
            return "a stream is neither coded nor cached: leave out compress and cache, or stream and websocket"
        for name in route.upstreams:
            if name not in self.upstreams:
                return f"there is no upstream {name}: add it, or use one of {', '.join(self.upstreams) or 'a URL'}"
            upstream = self.upstreams[name]
            if own.is_at(*upstream.address):
                return f"{upstream.url} is this gateway: a request would go round in a loop; use the service's address"
            if not own.has_neighbours and values.is_loopback(upstream.address[0]):
                return f"{upstream.url} is this container: use the service's name, or set LOOPBACK_UPSTREAMS=true"
        if route.cache and route.canary:
            return "cache and canary exclude each other, because each answers for the other: remove one of them"
        return self._fault_of_scopes(route)

    def _fault_of_scopes(self, route: Route) -> str | None:
        needed = sorted({*route.scopes.values()})
        if unneeded := route.rate_limit.keys() - {ANY, *needed}:
            return f"rate_limit has {min(unneeded)}, which no request here needs: use {', '.join(needed)} or {ANY}"
        for scope in needed:
            if scope != OPEN and scope not in self.scopes:
                close = get_close_matches(scope, self.scopes, 1)
                return f"unknown scope {scope}: {f'did you mean {close[0]}? Else ' if close else ''}add it to scopes"
        return None


def _heads(prefix: str) -> list[str]:
    """The prefix and all prefixes that contain it: /api/orders and /api."""
    segments = prefix.split("/")
    return ["/".join(segments[:end]) for end in range(len(segments), 1, -1)]


def is_below(path: str, prefix: str) -> bool:
    """Whether the prefix contains the path."""
    return path == prefix or path.startswith(prefix + "/")
