"""Which header fields cross the gateway. Works on lists of (lower-case name, value) bytes."""

from functools import lru_cache

from common.http.forwarded import Origin
from common.http.response import Headers
from gateway_site.routes.field_names import Test

MAX_CACHED_CHAIN = 256


def end_to_end(headers: Headers, is_dropped: Test) -> Headers:
    """The fields to forward: without those that are dropped and those that `Connection` names (RFC 9110 §7.6.1)."""
    named = [value for name, value in headers if name == b"connection"]
    if named:
        listed = {token.strip().lower() for value in named for token in value.split(b",")}
        headers = [field for field in headers if field[0] not in listed]
    return [field for field in headers if not is_dropped(field[0])]


def joined(fields: Headers, name: bytes) -> bytes:
    """The value of a list field, its lines joined (RFC 9110 §5.3)."""
    return b", ".join([value for key, value in fields if key == name])


def forwarded(chain: bytes, origin: Origin, prefix: str) -> Headers:
    """X-Forwarded-* for the upstream. The caller must not change the list: it is cached."""
    make = _forwarded if len(chain) <= MAX_CACHED_CHAIN else _forwarded.__wrapped__
    return make(chain, origin, prefix)


@lru_cache(maxsize=1024)
def _forwarded(chain: bytes, origin: Origin, prefix: str) -> Headers:
    whole = (origin.prefix + prefix).encode("latin-1")
    return [
        (b"x-forwarded-for", chain),
        (b"x-forwarded-host", origin.host.encode("latin-1")),
        (b"x-forwarded-proto", origin.scheme.encode("latin-1")),
        *([(b"x-forwarded-prefix", whole)] if whole else []),
    ]
