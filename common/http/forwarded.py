"""The X-Forwarded-* values of a trusted peer: the first element of a list, if it is well-formed.

Scheme `http` or `https`, a host of ALLOWED_HOSTS, a prefix of plain path segments. They become part of links and
Location, so other values are ignored and counted.
"""

import logging
import re
from functools import lru_cache
from typing import NamedTuple

from django.http.request import split_domain_port, validate_host
from prometheus_client import Counter

from common.http.response import Headers
from common.observability.notices import Notices

notices = Notices(logging.getLogger(__name__))
IGNORED = Counter("forwarded_fields_ignored", "X-Forwarded-* values of trusted peers that are not valid", ("field",))

PROTO, HOST, PREFIX = FIELDS = (b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-prefix")
MAX_LENGTH, MAX_HOST = 1024, 300
"""Longer values are invalid: clients choose them, and results are cached. A host has up to 255 octets and a port."""

_is_prefix = re.compile(rb"(?:/[A-Za-z0-9._~-]+)*/?").fullmatch


class Origin(NamedTuple):
    """The client's URL: scheme, host, and the prefix that proxies removed from the path; "" for unknown parts."""

    scheme: str = ""
    host: str = ""
    prefix: str = ""


def read(headers: Headers, allowed_hosts: tuple[str, ...]) -> Origin:
    """The valid values among the header fields (lower-case names); counts the others."""
    first: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in FIELDS:
            first.setdefault(name, value[: MAX_LENGTH + 1].partition(b",")[0].strip(b" \t"))
    valid = {name: value.decode("ascii") for name, value in first.items() if _is_valid(name, value, allowed_hosts)}
    for name in [name for name, value in first.items() if value and name not in valid]:
        field = name.decode().removeprefix("x-forwarded-")
        IGNORED.labels(field).inc()
        # The text omits the value, which the client chooses. If ALLOWED_HOSTS lacks a proxy's host, links are wrong.
        notices.warn("X-Forwarded field ignored", field=name.decode())
    return Origin(valid.get(PROTO, "").lower(), valid.get(HOST, ""), valid.get(PREFIX, "").rstrip("/"))


def _is_valid(name: bytes, value: bytes, allowed_hosts: tuple[str, ...]) -> bool:
    if name == HOST:
        return is_allowed(value, allowed_hosts)
    if name == PROTO:
        return value.lower() in (b"http", b"https")
    return len(value) <= MAX_LENGTH and _is_prefix(value) is not None


def is_allowed(host: bytes, allowed_hosts: tuple[str, ...]) -> bool:
    """Whether a Host (RFC 9110 §7.2) is well-formed and in ALLOWED_HOSTS."""
    return len(host) <= MAX_HOST and _is_allowed(host, allowed_hosts)


@lru_cache(maxsize=1024)
def _is_allowed(host: bytes, allowed_hosts: tuple[str, ...]) -> bool:
    domain, _ = split_domain_port(host.decode("latin-1"))
    return bool(domain) and domain.isascii() and validate_host(domain, allowed_hosts)
