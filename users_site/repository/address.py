"""Where Redis is and how to get in: a URL, parsed once, for the services and for the management commands.

    redis://[user:password@]host[:6379][/db]
    rediss://…             the same over TLS, verified; `?ssl_ca_certs=/path/ca.pem` for a CA of your own
    unix:///path/to/socket?db=0
    redis+sentinel://[user:password@]host[:26379],host[:26379]/name[/db]

Opening, TLS, AUTH, SELECT and asking Sentinel are redis-py's, with its retries off: a refused connection took
4.6 s to become an error with them. RESP2, because replies are stored bytes, and RESP3's push frames have no
place among replies that come in order.
"""

import asyncio
import ssl
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self, cast
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import redis
from redis import exceptions
from redis.asyncio import Connection as TcpConnection
from redis.asyncio import SSLConnection, UnixDomainSocketConnection
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry as AsyncRetry
from redis.asyncio.sentinel import MasterNotFoundError
from redis.backoff import NoBackoff
from redis.retry import Retry

from users_site.repository.errors import Reason
from users_site.repository.sentinel import Node, Sentinels, require_primary

FORMS = (
    "use redis://:password@host:6379/0, rediss://…, unix:///path?db=0 or redis+sentinel://host:26379,host:26379/name/0"
)
PORTS = {"redis": 6379, "rediss": 6379, "redis+sentinel": 26379, "rediss+sentinel": 26379}
TLS_OPTIONS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs")
CLIENT_NAME = "user-service"


class Opened(NamedTuple):
    """An open connection, and who it leads to if Sentinel said so."""

    writer: asyncio.StreamWriter
    primary: Node | None


@dataclass(frozen=True)
class Address:
    """How to connect to Redis. Its text and its repr never show a password."""

    scheme: str
    nodes: tuple[Node, ...] = ()  # the server, or the sentinels
    path: str = ""  # of the unix socket
    service: str = ""  # the name by which the sentinels know the primary
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    options: dict[str, str] = field(default_factory=dict, repr=False)  # of TLS, and `sentinel_password`

    @classmethod
    def from_url(cls, url: str, password: str | None = None) -> Self:
        """Parse a URL; `password` is used when the URL holds none. Raises ValueError that names the cure."""
        try:
            parts = urlsplit(url)
        except ValueError:  # its text may quote the password
            raise ValueError(f"REDIS_URL is malformed: {FORMS}") from None
        if parts.scheme == "redis+cluster":
            raise ValueError("REDIS_URL: Redis Cluster is not supported yet: use redis:// or redis+sentinel://")
        if parts.scheme not in {*PORTS, "unix"}:
            raise ValueError(f"REDIS_URL has no scheme that is known: {FORMS}")
        userinfo, _, hosts = parts.netloc.rpartition("@")
        username, _, secret = (unquote(part) for part in userinfo.partition(":"))
        options = _options(parts)
        nodes = _nodes(hosts, parts.scheme)
        service, db = _service_and_db(parts, options.pop("db", ""))
        return cls(
            scheme=parts.scheme,
            nodes=nodes,
            path=_socket_path(parts, hosts),
            service=service,
            db=db,
            username=username or None,
            password=secret or password or None,
            options=options,
        )

    def __str__(self) -> str:
        secret = f"{self.username or ''}:***@" if self.password or self.username else ""
        hosts = ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.nodes)
        service = f"/{self.service}" if self.service else ""
        db = f"/{self.db}" if self.db else ""
        if self.scheme == "unix":
            return f"unix://{secret}{self.path}" + (f"?db={self.db}" if self.db else "")
        return f"{self.scheme}://{secret}{hosts}{service}{db}"

    async def open(self, connect_timeout: float) -> Opened:
        """Connect, authenticate and select; behind Sentinel, to the primary of now.

        Raises what redis-py and the socket raise: `reason` says what it means. The caller bounds the whole.
        """
        primary = None
        login = self._login(connect_timeout)
        if self.scheme == "unix":
            connection: AbstractConnection = UnixDomainSocketConnection(path=self.path, **login)
        else:
            if self.service:
                async with self._sentinels(connect_timeout) as sentinels:
                    primary = await sentinels.primary()
            host, port = primary or self.nodes[0]
            login |= {"host": host, "port": port}
            connection = SSLConnection(**login, **self._tls()) if self._is_tls else TcpConnection(**login)
        await connection.connect()  # type: ignore[no-untyped-call]
        if self.service:
            await require_primary(connection)
        # The one private thing that we take, as redis-py has no public way to give an open connection away.
        # Reading by its read_response() cost 1.5 times the CPU with 1 and 1.3 with 4 commands in flight.
        writer = cast(asyncio.StreamWriter, connection._writer)
        connection._reader = connection._writer = None
        return Opened(writer, primary)

    async def replaced(self, primary: Node, timeout: float) -> None:
        """Return when the sentinels name another primary."""
        async with self._sentinels(timeout) as sentinels:
            await sentinels.replaced(primary)

    def _sentinels(self, timeout: float) -> Sentinels:
        # Half of the time, so that a silent sentinel leaves the other half for the primary.
        return Sentinels(self.nodes, self.service, self._sentinel_login(timeout / 2) | {"retry": _no_retry()})

    def reason(self, error: BaseException) -> Reason:
        """Why `open` failed."""
        for kinds, reason in _REASONS:
            if isinstance(error, kinds):
                return reason
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ssl.SSLError) or (self._is_tls and isinstance(cause, FileNotFoundError)):
                return Reason.TLS
            if isinstance(cause, (ConnectionRefusedError, FileNotFoundError)):
                return Reason.REFUSED
            if isinstance(cause, OSError):
                return Reason.UNREACHABLE
            cause = cause.__cause__ or cause.__context__
        return Reason.CLOSED

    def sync_client(self, *, timeout: float = 5.0, connect_timeout: float = 2.0) -> redis.Redis:
        """A blocking client for management commands, without retries; both times in seconds."""
        login = self._login(connect_timeout) | {"socket_timeout": timeout, "retry": Retry(NoBackoff(), 0)}
        if self.scheme == "unix":
            return redis.Redis(unix_socket_path=self.path, **login)
        login |= {"ssl": True, **self._tls()} if self._is_tls else {}
        if not self.service:
            host, port = self.nodes[0]
            return redis.Redis(host=host, port=port, **login)
        sentinel_login = self._sentinel_login(connect_timeout) | {"retry": Retry(NoBackoff(), 0)}
        sentinel = redis.Sentinel(self.nodes, sentinel_kwargs=sentinel_login, **login)  # type: ignore[no-untyped-call]
        return cast(redis.Redis, sentinel.master_for(self.service))  # type: ignore[no-untyped-call]

    @property
    def is_plain_text_to_others(self) -> bool:
        """Whether what is sent can be read on the way to another host."""
        local = {"localhost", "127.0.0.1", "::1"}
        return not self._is_tls and any(host not in local for host, _ in self.nodes)

    @property
    def _is_tls(self) -> bool:
        return self.scheme.startswith("rediss")

    def _login(self, connect_timeout: float) -> dict[str, Any]:
        return {
            "db": self.db,
            "username": self.username,
            "password": self.password,
            "client_name": CLIENT_NAME,
            "protocol": 2,
            "socket_timeout": None,
            "socket_connect_timeout": connect_timeout,
            "retry": _no_retry(),
        }

    def _sentinel_login(self, timeout: float) -> dict[str, Any]:
        tls = {"ssl": True, **self._tls()} if self._is_tls else {}
        password = self.options.get("sentinel_password")
        return {
            "password": password,
            "socket_timeout": timeout,
            "socket_connect_timeout": timeout,
            "protocol": 2,
        } | tls

    def _tls(self) -> dict[str, Any]:
        return {name: value for name, value in self.options.items() if name in TLS_OPTIONS}


# In the order of redis-py's tree: the narrow before the wide.
_REASONS: tuple[tuple[tuple[type[BaseException], ...], Reason], ...] = (
    ((exceptions.BusyLoadingError,), Reason.LOADING),
    (
        (exceptions.AuthenticationError, exceptions.AuthorizationError, exceptions.NoPermissionError),
        Reason.AUTH,
    ),
    ((MasterNotFoundError,), Reason.NO_PRIMARY),
    ((TimeoutError, exceptions.TimeoutError), Reason.TIMEOUT),
    ((exceptions.InvalidResponse,), Reason.PROTOCOL),
    ((exceptions.ResponseError,), Reason.REJECTED),
)


def _no_retry() -> AsyncRetry:
    return AsyncRetry(NoBackoff(), 0)


def _options(parts: SplitResult) -> dict[str, str]:
    known = {"db"}
    if parts.scheme.startswith("rediss"):
        known |= set(TLS_OPTIONS)
    if parts.scheme.endswith("+sentinel"):
        known.add("sentinel_password")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if options.keys() - known or parts.fragment:
        raise ValueError(
            f"REDIS_URL: {parts.scheme}:// takes only ?{', '.join(sorted(known))} (percent-encode ? # in a password)"
        )
    return options


def _nodes(hosts: str, scheme: str) -> tuple[Node, ...]:
    return () if scheme == "unix" else tuple(_node(host, scheme) for host in hosts.split(","))


def _node(text: str, scheme: str) -> Node:
    try:
        parts = urlsplit(f"//{text}")
        port = parts.port
    except ValueError:
        raise ValueError(
            "REDIS_URL has a malformed host or port: write host:6379 or [::1]:6379 (percent-encode / in a password)"
        ) from None
    if not parts.hostname or port == 0:
        raise ValueError(f"REDIS_URL names no host: {FORMS}")
    return parts.hostname, port or PORTS[scheme]


def _socket_path(parts: SplitResult, hosts: str) -> str:
    if parts.scheme != "unix":
        return ""
    if hosts or len(parts.path) < 2:
        raise ValueError("REDIS_URL: a unix socket needs an absolute path, with three slashes: unix:///run/redis.sock")
    return unquote(parts.path)


def _service_and_db(parts: SplitResult, query_db: str) -> tuple[str, int]:
    segments = [] if parts.scheme == "unix" else unquote(parts.path).strip("/").split("/")
    service = ""
    if parts.scheme.endswith("+sentinel"):
        service = segments.pop(0)
        if not service:
            raise ValueError("REDIS_URL: name the primary as Sentinel knows it: redis+sentinel://host:26379/mymaster/0")
    db = "/".join(segments) or query_db or "0"
    if not (db.isascii() and db.isdigit()):
        raise ValueError("REDIS_URL: the database is a number: redis://host:6379/0")
    return service, int(db)
