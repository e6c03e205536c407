"""Routes and upstreams as read at the start: plain values, without connections."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from gateway_site.routes.rate import Rate

USERS, USER_SERVICE = "/api/users", "user-service"

READING = frozenset({"GET", "HEAD", "OPTIONS"})
"""The methods of a route's `:read` scope."""

ANY, OPEN = "*", "none"
"""In `scopes`: every other method; no credential needed."""

REST = "/*"
"""In `paths`: everything below the prefix."""


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files: the authorities to trust instead of the system's, and the gateway's client certificate."""

    ca: str = ""
    cert: str = ""
    key: str = ""

    @property
    def files(self) -> list[Path]:
        return [Path(file) for file in (self.ca, self.cert, self.key) if file]

    def context(self) -> ssl.SSLContext:
        """The context of the current files. Raises OSError."""
        made = ssl.create_default_context(cafile=self.ca or None)
        made.set_alpn_protocols(["http/1.1"])
        if self.cert:
            made.load_cert_chain(self.cert, self.key, password="")  # without one, OpenSSL asks at the terminal
        return made


@dataclass(frozen=True, slots=True)
class Upstream:
    """A service behind the gateway. `name` is the metrics' label `service`; `health` is empty if any answer below 500
    counts as live."""

    name: str
    url: str
    health: str = ""
    connect_timeout_ms: int = 500
    max_timeouts: int = 3
    failure_rate: float = 0.5
    addresses: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    tls: Tls | None = None
    max_streams: int = 0

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


@dataclass(frozen=True, slots=True)
class Canary:
    """The share of a route's requests that go to another upstream. A header field or cookie with the given name sends a
    request there (value `always`) or not (`never`)."""

    upstream: str
    percent: float
    header: str = ""
    cookie: str = ""


@dataclass(frozen=True, slots=True)
class Edits:
    """Header fields with the names `dropped` are removed, then `added` are appended."""

    dropped: frozenset[bytes] = frozenset()
    added: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Compression:
    """`codings`: in the order of preference, for clients without one."""

    min_bytes: int = 1024
    codings: tuple[str, ...] = ("br", "gzip")


@dataclass(frozen=True, slots=True)
class Cache:
    """The bounds of the answers that a route keeps."""

    max_bytes: int = 1 << 24
    max_entries: int = 10_000


@dataclass(frozen=True, slots=True)
class Route:
    """Paths below `prefix` go to `upstream`, with `rewrite` in place of the prefix.

    `paths`: the paths below the prefix: "" is the prefix, `{name}` one segment, `/*` everything. They are the metrics'
    `route` labels. `methods`: empty for all. `scopes`: by method. `rate_limit`: by scope. None means the gateway's own
    setting. `schema`: its OpenAPI document as text, or empty.
    """

    prefix: str
    upstream: str
    rewrite: str = ""
    paths: tuple[str, ...] = ("", REST)
    methods: tuple[str, ...] = ()
    schema: str = ""
    scopes: Mapping[str, str] = field(default_factory=dict, hash=False)
    timeout_ms: int = 5000
    retries: int = 2
    rate_limit: Mapping[str, Rate] = field(default_factory=dict, hash=False)
    max_body_bytes: int | None = None
    canary: Canary | None = None
    maintenance: str = ""
    stream: bool = False
    websocket: bool = False
    idle_timeout_ms: int = 60_000
    request_headers: Edits = Edits()
    answer_headers: Edits = Edits()
    compress: Compression | None = None
    cache: Cache | None = None

    @property
    def allowed(self) -> frozenset[str]:
        """`methods`, with HEAD if there is GET; empty for all."""
        return frozenset({*self.methods, "HEAD"} if "GET" in self.methods else self.methods)

    @property
    def upstreams(self) -> tuple[str, ...]:
        return (self.upstream, self.canary.upstream) if self.canary else (self.upstream,)

    @property
    def templates(self) -> tuple[str, ...]:
        """Its values for the metrics' label `route`."""
        return tuple(self.prefix + path.replace(REST, "/{path}") for path in self.paths)

    @property
    def removed(self) -> str:
        """X-Forwarded-Prefix: the prefix of the upstream's links; empty if no prefix would be right."""
        return self.prefix.removesuffix(self.rewrite) if self.prefix.endswith(self.rewrite) else ""

    def limit_for(self, scope: str) -> str | None:
        """The key in `rate_limit` for requests that need this scope."""
        return next((key for key in (scope, ANY) if key in self.rate_limit), None)

    def scope_for(self, method: str) -> str | None:
        """The scope that a request needs; None if it needs no credential."""
        scope = self.scopes.get(method) or self.scopes[ANY]
        return None if scope == OPEN else scope


@dataclass(frozen=True, slots=True)
class Table:
    """Prefixes do not overlap. `scopes`: all that a credential can have. `files`: those that the table names."""

    routes: tuple[Route, ...]
    upstreams: Mapping[str, Upstream]
    scopes: tuple[str, ...]
    files: tuple[Path, ...] = field(default=(), compare=False)

    @property
    def users(self) -> Route:
        return next(route for route in self.routes if route.prefix == USERS)


def scopes_of(prefix: str, given: Mapping[str, str] = MappingProxyType({})) -> Mapping[str, str]:
    """The scopes by method: the given ones, HEAD's that of GET, the others `orders:read` and `orders:write` for
    `/api/orders`."""
    if "GET" in given:
        given = {"HEAD": given["GET"], **given}
    if ANY in given:
        return given
    noun = prefix.rpartition("/")[2]
    return {**dict.fromkeys(sorted(READING), f"{noun}:read"), ANY: f"{noun}:write", **given}
