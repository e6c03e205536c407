"""The address of Redis, parsed from a URL.

redis://[user:password@]host[:6379][/db]
rediss://…             the same over TLS, verified; `?ssl_ca_certs=/path/ca.pem` for a CA of your own
unix:///path/to/socket?db=0
redis+sentinel://[user:password@]host[:26379],host[:26379]/name[/db]
redis+cluster://[user:password@]host[:6379],host[:6379]
"""

from dataclasses import dataclass, field
from typing import Self
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

Node = tuple[str, int]

FORMS = (
    "use redis://:password@host:6379/0, rediss://…, unix:///path?db=0, redis+sentinel://host:26379,host:26379/name/0 "
    "or redis+cluster://host:6379,host:6379"
)
PORTS = {
    "redis": 6379,
    "rediss": 6379,
    "redis+sentinel": 26379,
    "rediss+sentinel": 26379,
    "redis+cluster": 6379,
    "rediss+cluster": 6379,
}
TLS_OPTIONS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs")


@dataclass(frozen=True)
class Address:
    """Neither its text nor its repr shows a password."""

    scheme: str
    nodes: tuple[Node, ...] = ()  # the server, the sentinels, or some of a cluster
    path: str = ""  # of the unix socket
    service: str = ""  # the primary's name in Sentinel
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    options: dict[str, str] = field(default_factory=dict, repr=False)  # of TLS, and `sentinel_password`

    @classmethod
    def from_url(cls, url: str, name: str = "REDIS_URL") -> Self:
        """The address. Raises ValueError with the cure; its text calls the URL `name`."""
        try:
            parts = urlsplit(url)
        except ValueError:  # its text may quote the password
            raise ValueError(f"{name} is malformed: {FORMS}") from None
        if parts.scheme not in {*PORTS, "unix"}:
            raise ValueError(f"{name} has an unknown scheme: {FORMS}")
        userinfo, _, hosts = parts.netloc.rpartition("@")
        username, _, secret = (unquote(part) for part in userinfo.partition(":"))
        options = _options(parts, name)
        nodes = () if parts.scheme == "unix" else tuple(_node(each, parts.scheme, name) for each in hosts.split(","))
        service, db = _service_and_db(parts, options.pop("db", ""), name)
        return cls(
            scheme=parts.scheme,
            nodes=nodes,
            path=_socket_path(parts, hosts, name),
            service=service,
            db=db,
            username=username or None,
            password=secret or None,
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

    @property
    def is_plain_text_to_others(self) -> bool:
        """Whether the password crosses a network between hosts in plain text."""
        local = {"localhost", "127.0.0.1", "::1"}
        return not self.is_tls and any(host not in local for host, _ in self.nodes)

    @property
    def is_tls(self) -> bool:
        return self.scheme.startswith("rediss")

    @property
    def is_cluster(self) -> bool:
        return self.scheme.endswith("+cluster")

    @property
    def is_moving(self) -> bool:
        """Whether the primary may change and must be looked up."""
        return self.is_cluster or bool(self.service)


def _options(parts: SplitResult, name: str) -> dict[str, str]:
    known = {"db"}
    if parts.scheme.startswith("rediss"):
        known |= set(TLS_OPTIONS)
    if parts.scheme.endswith("+sentinel"):
        known.add("sentinel_password")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if options.keys() - known or parts.fragment:
        raise ValueError(
            f"{name}: {parts.scheme}:// takes only ?{', '.join(sorted(known))} (percent-encode ? # in a password)"
        )
    return options


def _node(text: str, scheme: str, name: str) -> Node:
    try:
        parts = urlsplit(f"//{text}")
        port = parts.port
    except ValueError:
        raise ValueError(
            f"{name} has a malformed host or port: write host:6379 or [::1]:6379 (percent-encode / in a password)"
        ) from None
    if not parts.hostname or port == 0:
        raise ValueError(f"{name} names no host: {FORMS}")
    return parts.hostname, port or PORTS[scheme]


def _socket_path(parts: SplitResult, hosts: str, name: str) -> str:
    if parts.scheme != "unix":
        return ""
    if hosts or len(parts.path) < 2:
        raise ValueError(f"{name}: a unix socket needs an absolute path, with three slashes: unix:///run/redis.sock")
    return unquote(parts.path)


def _service_and_db(parts: SplitResult, query_db: str, name: str) -> tuple[str, int]:
    segments = [] if parts.scheme == "unix" else unquote(parts.path).strip("/").split("/")
    service = ""
    if parts.scheme.endswith("+sentinel"):
        service = segments.pop(0)
        if not service:
            raise ValueError(
                f"{name}: name the primary, as in Sentinel's configuration: redis+sentinel://host:26379/mymaster/0"
            )
    db = "/".join(segments) or query_db or "0"
    if not (db.isascii() and db.isdigit()):
        raise ValueError(f"{name}: the database is a number: redis://host:6379/0")
    if parts.scheme.endswith("+cluster") and int(db):
        raise ValueError(f"{name}: a cluster has database 0 only: redis+cluster://host:6379,host:6379")
    return service, int(db)
