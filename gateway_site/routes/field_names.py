"""Names of header fields, in lower case, for tables and for forwarding."""

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
"""Prefix of the fields that name the caller (guard/principal.py). Only the gateway may set them."""

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

NOT_FORWARDED = HOP_BY_HOP | SET_BY_US | OVERRIDES

CORS = frozenset(
    (
        b"access-control-allow-credentials",
        b"access-control-allow-headers",
        b"access-control-allow-methods",
        b"access-control-allow-origin",
        b"access-control-allow-private-network",
        b"access-control-expose-headers",
        b"access-control-max-age",
    )
)
"""With CORS_ALLOWED_ORIGINS these fields of upstreams' answers are dropped."""

OURS_IN_ANSWERS = frozenset(
    (
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
