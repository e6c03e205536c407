"""Which X-Forwarded-* values of a trusted peer are used: the first element of a list, if it is well-formed.

Scheme `http` or `https`, a host of ALLOWED_HOSTS, a prefix of plain path segments. They end up in links and in Location,
so anything else is ignored and counted.
"""

import logging
import re
from dataclasses import dataclass
from functools import lru_cache

from django.http.request import split_domain_port, validate_host
from prometheus_client import Counter

from common.http.response import Headers
from common.observability.notices import Notices

notices = Notices(logging.getLogger(__name__))
IGNORED = Counter("forwarded_fields_ignored", "X-Forwarded-* values of trusted peers that are not valid", ("field",))

PROTO, HOST, PREFIX = b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-prefix"
MAX_LENGTH = 1024
"""Longer values are not valid, because clients choose them and results are cached."""

MAX_HOST = 300
"""A name of 255 octets and a port."""

NEVER_VALID = b"?"
SCHEMES = (b"http", b"https")
_is_prefix = re.compile(rb"(?:/[A-Za-z0-9._~-]+)*/?").fullmatch


@dataclass(frozen=True, slots=True)
class Forwarded:
    """The valid values; None or "" where there is none."""

    scheme: str | None = None
    host: str | None = None
    prefix: str = ""
    ignored: tuple[str, ...] = ()


def read(headers: Headers, allowed_hosts: tuple[str, ...]) -> Forwarded:
    """The valid values among the header fields (lower-case names); counts the others."""
    first: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in (PROTO, HOST, PREFIX):
            first.setdefault(name, value[: MAX_LENGTH + 1].partition(b",")[0].strip(b" \t"))
    for name, value in first.items():
        if len(value) > MAX_LENGTH:
            first[name] = NEVER_VALID
    found = _parse(first.get(PROTO), first.get(HOST), first.get(PREFIX), allowed_hosts)
    for field in found.ignored:
        IGNORED.labels(field).inc()
        # Without the value, which is the client's. A host that ALLOWED_HOSTS lacks makes links that clients cannot follow.
        notices.warn("X-Forwarded field ignored", field=f"x-forwarded-{field}")
    return found


@lru_cache(maxsize=1024)
def _parse(proto: bytes | None, host: bytes | None, prefix: bytes | None, allowed_hosts: tuple[str, ...]) -> Forwarded:
    valid = {
        "proto": (proto, proto is not None and proto.lower() in SCHEMES),
        "host": (host, host is not None and is_allowed(host, allowed_hosts)),
        "prefix": (prefix, prefix is not None and _is_prefix(prefix) is not None),
    }
    values = {name: value.decode("ascii") for name, (value, is_valid) in valid.items() if value and is_valid}
    return Forwarded(
        values.get("proto", "").lower() or None,
        values.get("host"),
        values.get("prefix", "").rstrip("/"),
        tuple(name for name, (value, is_valid) in valid.items() if value and not is_valid),
    )


def is_allowed(host: bytes, allowed_hosts: tuple[str, ...]) -> bool:
    """Whether a Host (RFC 9110 §7.2) is well-formed and in ALLOWED_HOSTS."""
    return len(host) <= MAX_HOST and _is_allowed(host, allowed_hosts)


@lru_cache(maxsize=1024)
def _is_allowed(host: bytes, allowed_hosts: tuple[str, ...]) -> bool:
    domain, _ = split_domain_port(host.decode("latin-1"))
    return bool(domain) and domain.isascii() and validate_host(domain, allowed_hosts)
