"""Parses the values of a table. Each function raises ValueError with what the value should be."""

import re
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from gateway_site.routes import rate
from gateway_site.routes.field_names import CREDENTIALS, HOP_BY_HOP, NOT_FORWARDED, OURS_IN_ANSWERS, one_of
from gateway_site.routes.table import ANY, OPEN, REST, Cache, Canary, Compression, Edits, Tls

LONGEST = 500
HOST = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.?"
)
SCOPE = "[A-Za-z0-9_.:-]{1,64}"
NUMBER = re.compile(r"[0-9]+\Z|0x")
FILE = r"[^\x00-\x1f\x7f]{1,500}"

Parser = Callable[[Any], Any]


def matching(pattern: str, wanted: str) -> Callable[[Any], str]:
    whole = re.compile(pattern)

    def parse(value: Any) -> str:
        if not isinstance(value, str) or len(value) > LONGEST or not whole.fullmatch(value):
            raise ValueError(wanted)
        return value

    return parse


prefix = matching(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+", "a path like /api/orders, without a slash at its end")
name = matching(
    r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?(:\d{1,5})?",
    "the name of an upstream: lower-case letters, digits, dots and hyphens",
)
METHODS = """
    GET HEAD POST PUT PATCH DELETE OPTIONS TRACE QUERY SEARCH REPORT PURGE LINK UNLINK BIND REBIND UNBIND ACL LABEL CHECKIN
    CHECKOUT UNCHECKOUT COPY MOVE LOCK UNLOCK MERGE UPDATE MKACTIVITY MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE ORDERPATCH
    PROPFIND PROPPATCH UPDATEREDIRECTREF
"""
"""IANA's registry without CONNECT, which cannot be forwarded, and the PURGE of caches. Any other is a misspelling,
whose scope would never be required."""

method = matching("|".join(METHODS.split()), "a method of HTTP in capital letters, like GET")
scope = matching(SCOPE, "a scope like orders:read, or none")
path = matching(
    r"(/([A-Za-z0-9_~-][A-Za-z0-9._~-]*|\{[a-z_]{1,32}\}))*", 'a path below the prefix like "", "/{id}" or "/*"'
)
token = matching("[A-Za-z0-9_-]{1,64}", "a name of letters, digits and hyphens")
field = matching("[A-Za-z0-9-]{1,64}", "names of letters, digits and hyphens")
field_value = matching(r"[\x21-\x7e](?:[\x20-\x7e]{0,1000}[\x21-\x7e])?", "values of printable ASCII")


def number(minimum: float, maximum: float, kind: type[int] | type[float] = int) -> Parser:
    def parse(value: Any) -> float:
        allowed = int if kind is int else (int, float)
        if isinstance(value, bool) or not isinstance(value, allowed) or not minimum <= value <= maximum:
            raise ValueError(f"a{' whole' if kind is int else ''} number from {minimum} to {maximum}")
        return value

    return parse


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def rewrite(value: Any) -> str:
    return "" if value in ("", "/") else prefix(value)


def paths(value: Any) -> tuple[str, ...]:
    given = listed(lambda item: item if item == REST else path(item))(value)
    if not given or len(set(given)) != len(given):
        raise ValueError('paths below the prefix, each once, e.g. ["", "/{id}"]')
    return given


def listed(parse: Callable[[Any], str]) -> Callable[[Any], tuple[str, ...]]:
    def parse_all(value: Any) -> tuple[str, ...]:
        if not isinstance(value, list) or len(value) > 64:
            raise ValueError("a list")
        return tuple(parse(item) for item in value)

    return parse_all


def scopes(value: Any) -> dict[str, str]:
    if isinstance(value, str):
        return {ANY: scope(value)}
    if not isinstance(value, dict) or not value:
        raise ValueError(
            f'a scope, or scopes by method like {{ GET = "orders:read", "*" = "orders:write" }}, or "{OPEN}"'
        )
    return {ANY if key == ANY else method(key): scope(given) for key, given in value.items()}


def limits(value: Any) -> dict[str, rate.Rate]:
    """By scope."""
    given = value if isinstance(value, dict) else {ANY: value}
    try:
        found = {scope(key) if key != ANY else ANY: rate.parse(str(text)) for key, text in given.items()}
    except ValueError:
        raise ValueError(
            f'{rate.WRITTEN}, or limits by scope like {{ "orders:write" = "10/s", "*" = "100/s" }}'
        ) from None
    return {key: limit for key, limit in found.items() if limit}


def origin(url: Any) -> str:
    """Scheme, host and port."""
    wanted = "an address like http://order-service:3002, without a path"
    if not isinstance(url, str) or len(url) > LONGEST or not url.isascii() or url.split() != [url]:
        raise ValueError(wanted)
    try:
        parts = urlsplit(url)
        surplus = parts.path.strip("/") or parts.query or parts.fragment or {"@", "%"} & set(parts.netloc)
        is_web = parts.scheme in {"http", "https"} and is_host(parts.hostname or "")
        is_good = is_web and not surplus and parts.port != 0 and not parts.netloc.endswith(":")
    except ValueError:
        is_good = False
    if not is_good:
        raise ValueError(wanted)
    return f"{parts.scheme}://{parts.netloc}"


def is_host(name: str) -> bool:
    """Whether it is a name or a full IP address. `127.1` and `2130706433` are not: only resolvers accept them as
    addresses."""
    try:
        return bool(ip_address(name))
    except ValueError:
        return HOST.fullmatch(name) is not None and not NUMBER.match(name.rpartition(".")[2])


def is_loopback(host: str) -> bool:
    """Whether the text itself, without DNS, means this machine."""
    try:
        address = ip_address(host)
    except ValueError:
        return host.rstrip(".") == "localhost" or host.rstrip(".").endswith(".localhost")
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified


def edits(kept: frozenset[bytes]) -> Callable[[Any], Edits]:
    """`kept`: names that no table may edit."""
    is_kept = one_of(kept)

    def field_name(value: Any) -> bytes:
        found = field(value).lower().encode("ascii")
        if is_kept(found):
            raise ValueError(f"fields other than {found.decode()}, which the gateway or its security depends on")
        return found

    def fields(value: Any) -> list[tuple[bytes, bytes]]:
        if not isinstance(value, dict):
            raise ValueError('fields like { x-shop = "eu" }')
        return [(field_name(name), field_value(given).encode("ascii")) for name, given in value.items()]

    def parse(value: Any) -> Edits:
        if not isinstance(value, dict) or not value or not value.keys() <= {"remove", "set", "add"}:
            raise ValueError('a table of remove, set, add like { set = { x-shop = "eu" }, remove = ["server"] }')
        replaced = fields(value.get("set", {}))
        dropped = {*map(field_name, listed(str)(value.get("remove", []))), *(name for name, _ in replaced)}
        return Edits(frozenset(dropped), (*replaced, *fields(value.get("add", {}))))

    return parse


def ip(kind: Callable[[str], Any], wanted: str) -> Parser:
    def parse(value: Any) -> str:
        try:
            return str(kind(value if isinstance(value, str) else ""))
        except ValueError:
            raise ValueError(wanted) from None

    return parse


def table(kind: Callable[..., Any], needed: frozenset[str] = frozenset(), **fields: Parser) -> Parser:
    """The fields of a table within a route or an upstream; those that are not `needed` have defaults."""
    wanted = (
        f"a table of {', '.join(fields)}{', with ' + ' and '.join(sorted(needed)) if needed else ', each optional'}"
    )

    def parse(value: Any) -> Any:
        if not isinstance(value, dict) or not needed <= value.keys() <= fields.keys():
            raise ValueError(wanted)
        return kind(**{key: fields[key](given) for key, given in value.items()})

    return parse


def tls(ca: str = "", cert: str = "", key: str = "") -> Tls:
    made = Tls(ca, cert, key)
    if bool(cert) != bool(key):
        raise ValueError("a table of ca, cert and key; a cert has a key")
    try:
        made.context()
    except OSError as error:
        raise ValueError(f"PEM files that belong together ({error.strerror or error})") from None
    return made


pem = matching(FILE, "the path of a PEM file")
ROUTE: dict[str, Parser] = {
    "prefix": prefix,
    "upstream": lambda value: origin(value) if isinstance(value, str) and "/" in value else name(value),
    "rewrite": rewrite,
    "paths": paths,
    "schema": matching(FILE, "a file next to the table, e.g. orders.yaml"),
    "methods": listed(method),
    "scopes": scopes,
    "timeout_ms": number(1, 600_000),
    "retries": number(0, 5),
    "rate_limit": limits,
    "max_body_bytes": number(0, 1 << 40),
    "canary": table(
        Canary,
        frozenset({"upstream", "percent"}),
        upstream=name,
        percent=number(0, 100, float),
        header=lambda value: token(value).lower(),
        cookie=token,
    ),
    "stream": flag,
    "websocket": flag,
    "idle_timeout_ms": number(100, 3_600_000),
    "maintenance": matching(r"[^\x00-\x1f\x7f]{1,200}", "a sentence for clients of at most 200 characters"),
    "request_headers": edits(NOT_FORWARDED | CREDENTIALS | {b"idempotency-key"}),
    "answer_headers": edits(HOP_BY_HOP | OURS_IN_ANSWERS),
    "compress": table(
        Compression, min_bytes=number(1, 1 << 30), codings=listed(matching("br|gzip", "br and gzip, or one of them"))
    ),
    "cache": table(Cache, max_bytes=number(1 << 20, 1 << 32), max_entries=number(1, 10_000_000)),
}
"""The fields of a route in the file."""
UPSTREAM: dict[str, Parser] = {
    "url": origin,
    "health": prefix,
    "connect_timeout_ms": number(1, 60_000),
    "max_timeouts": number(1, 1000),
    "failure_rate": number(0.01, 1, float),
    "addresses": listed(ip(ip_address, "an IP address")),
    "zones": listed(ip(ip_network, "networks like 10.0.0.0/18")),
    "tls": table(tls, ca=pem, cert=pem, key=pem),
    "max_streams": number(1, 4000),
}
