"""Names of header fields, in lower case, for tables and for forwarding. `x-` is the prefix of further ones."""

from collections.abc import Callable
from functools import lru_cache

Test = Callable[[bytes], bool]


@lru_cache(maxsize=256)
def one_of(names: frozenset[bytes]) -> Test:
    """Whether a name is one of these, with `_` for `-` too: frameworks behind the gateway take `X_Real_IP` for `X-Real-IP`."""
    prefixes = tuple(name for name in names if name.endswith(b"-"))

    @lru_cache(maxsize=128)  # clients choose other names
    def is_one(name: bytes) -> bool:
        usual = name.replace(b"_", b"-")
        return usual in names or usual.startswith(prefixes)

    return is_one


HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
"""RFC 9110 §7.6.1, and fields that older peers still send."""

IDENTITY = b"x-authenticated-"
"""The fields that name the caller (guard/principal.py). Only the gateway may set them."""

SET_BY_US = frozenset(
    (
        b"host",
        b"content-length",
        b"expect",
        b"forwarded",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-port",
        b"x-forwarded-prefix",
        b"x-forwarded-proto",
        b"x-real-ip",
        b"x-request-id",
        b"x-request-timeout-ms",
    )
)

CREDENTIALS = frozenset((b"authorization", b"x-api-key"))
"""With AUTH these are not forwarded: the user service does not need the secret."""

OVERRIDES = frozenset(
    (b"x-http-method", b"x-http-method-override", b"x-method-override", b"x-original-url", b"x-rewrite-url")
)
"""Some frameworks use these instead of the method or path that the guard has checked."""

NOT_FORWARDED = HOP_BY_HOP | SET_BY_US | OVERRIDES | {IDENTITY}

FROM_UPSTREAM = HOP_BY_HOP | {b"x-request-id", IDENTITY}
"""Dropped from answers. They have the request ID of our log, whatever a proxy in between adds."""

CORS = b"access-control-"
"""With CORS_ALLOWED_ORIGINS these fields of upstreams' answers are dropped."""

OURS_IN_ANSWERS = frozenset(
    (
        CORS,
        b"age",
        b"content-encoding",
        b"content-length",
        b"content-range",
        b"etag",
        b"www-authenticate",
        b"x-content-type-options",
        b"x-request-id",
    )
)
